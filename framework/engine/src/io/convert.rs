//! Formats that are not read, each with a line of Python that converts its files to one that is.

use std::path::Path;

/// A format that other programs write.
struct Format {
    /// Endings of its files, in lower case.
    endings: &'static [&'static str],
    /// Message that it is not read, with the reason if that helps.
    message: &'static str,
    /// Ending of the converted file.
    target: &'static str,
    /// Statements of Python; `OLD` and `NEW` stand for the two files.
    python: [&'static str; 2],
}

/// Formats with advice. Tables become CSV, which keeps the names of columns and classes; named
/// arrays become an `.npz`.
const FORMATS: [Format; 7] = [
    Format {
        endings: &["pkl", "pickle"],
        message: "pickles are not read, because reading one runs what is in it",
        target: "npz",
        python: [
            "import pickle, numpy as np; d = pickle.load(open(OLD, 'rb'))",
            "np.savez(NEW, x=d['x'], y=d['y'])",
        ],
    },
    Format {
        endings: &["xlsx", "xls", "ods"],
        message: "spreadsheets are not read",
        target: "csv",
        python: ["import pandas as pd", "pd.read_excel(OLD).to_csv(NEW, index=False)"],
    },
    Format {
        endings: &["json"],
        message: "JSON is not read",
        target: "csv",
        python: ["import pandas as pd", "pd.read_json(OLD).to_csv(NEW, index=False)"],
    },
    Format {
        endings: &["jsonl", "ndjson"],
        message: "JSON is not read",
        target: "csv",
        python: ["import pandas as pd", "pd.read_json(OLD, lines=True).to_csv(NEW, index=False)"],
    },
    Format {
        endings: &["h5", "hdf5", "hdf"],
        message: "HDF5 is not read",
        target: "npz",
        python: [
            "import h5py, numpy as np; d = h5py.File(OLD)",
            "np.savez(NEW, x=d['x'], y=d['y'])",
        ],
    },
    Format {
        endings: &["mat"],
        message: "MATLAB's files are not read",
        target: "npz",
        python: [
            "import scipy.io, numpy as np; d = scipy.io.loadmat(OLD)",
            "np.savez(NEW, x=d['x'], y=d['y'])",
        ],
    },
    Format {
        endings: &["pt", "pth"],
        message: "PyTorch's files are not read, because they are pickles",
        target: "npz",
        python: [
            "import torch, numpy as np; d = torch.load(OLD, weights_only=True)",
            "np.savez(NEW, x=d['x'].numpy(), y=d['y'].numpy())",
        ],
    },
];

/// Message that the format of `path`, by its ending, is not read, with a line of Python that
/// converts the file; `None` for an ending that is not in the list.
pub(super) fn advice(path: &Path) -> Option<String> {
    let ending = path.extension()?.to_string_lossy().to_lowercase();
    let format = FORMATS.iter().find(|format| format.endings.contains(&ending.as_str()))?;
    let quoted = |path: &Path| format!("'{}'", path.display());
    let python = format.python.join("; ");
    let python = python
        .replace("OLD", &quoted(path))
        .replace("NEW", &quoted(&path.with_extension(format.target)));
    Some(format!("{}; convert it once with\n  python3 -c \"{python}\"", format.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice_for(name: &str) -> String {
        advice(Path::new(name)).unwrap()
    }

    #[test]
    fn a_table_becomes_a_csv_and_arrays_become_an_npz() {
        assert_eq!(
            advice_for("d/a.xlsx"),
            "spreadsheets are not read; convert it once with\n  python3 -c \"import pandas as pd; \
             pd.read_excel('d/a.xlsx').to_csv('d/a.csv', index=False)\""
        );
        assert_eq!(
            advice_for("a.H5"),
            "HDF5 is not read; convert it once with\n  python3 -c \"import h5py, numpy as np; \
             d = h5py.File('a.H5'); np.savez('a.npz', x=d['x'], y=d['y'])\""
        );
        assert_eq!(
            advice_for("a.pth"),
            "PyTorch's files are not read, because they are pickles; convert it once with\n  \
             python3 -c \"import torch, numpy as np; d = torch.load('a.pth', weights_only=True); \
             np.savez('a.npz', x=d['x'].numpy(), y=d['y'].numpy())\""
        );
    }

    #[test]
    fn every_ending_names_one_format() {
        let mut endings: Vec<_> = FORMATS.iter().flat_map(|format| format.endings).collect();
        let count = endings.len();
        endings.sort_unstable();
        endings.dedup();
        assert_eq!(endings.len(), count);
        for ending in ["pkl", "pickle", "h5", "hdf5", "mat", "xlsx", "xls", "pt", "pth"] {
            assert!(advice_for(&format!("a.{ending}")).contains("python3 -c"), "{ending}");
        }
        for ending in ["ods", "ndjson", "json"] {
            assert!(
                advice_for(&format!("a.{ending}")).contains("to_csv('a.csv', index=False)"),
                "{ending}"
            );
        }
        assert_eq!(advice(Path::new("a.csv")), None);
        assert_eq!(advice(Path::new("a")), None);
    }
}
