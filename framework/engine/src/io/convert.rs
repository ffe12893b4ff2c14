//! Formats that are not read, each with the line of Python that makes a file of one that is.

use std::path::Path;

/// A format that other programs write.
struct Format {
    /// Endings of its files, in lower case.
    endings: &'static [&'static str],
    /// Its name, and where it helps the reason why it is not read.
    what: &'static str,
    /// Ending of the file that is made.
    made: &'static str,
    /// Statements of Python, where `OLD` and `NEW` stand for the two files.
    python: [&'static str; 2],
}

/// Tables become text, so that names of columns and of classes survive; named arrays become an archive of them.
const FORMATS: [Format; 9] = [
    Format {
        endings: &["pkl", "pickle"],
        what: "pickles are not read, because reading one runs what is in it",
        made: "npz",
        python: [
            "import pickle, numpy as np; d = pickle.load(open(OLD, 'rb'))",
            "np.savez(NEW, x=d['x'], y=d['y'])",
        ],
    },
    Format {
        endings: &["parquet"],
        what: "Parquet is not read",
        made: "csv",
        python: ["import pandas as pd", "pd.read_parquet(OLD).to_csv(NEW, index=False)"],
    },
    Format {
        endings: &["feather", "arrow"],
        what: "Arrow's files are not read",
        made: "csv",
        python: ["import pandas as pd", "pd.read_feather(OLD).to_csv(NEW, index=False)"],
    },
    Format {
        endings: &["xlsx", "xls", "ods"],
        what: "spreadsheets are not read",
        made: "csv",
        python: ["import pandas as pd", "pd.read_excel(OLD).to_csv(NEW, index=False)"],
    },
    Format {
        endings: &["json"],
        what: "JSON is not read",
        made: "csv",
        python: ["import pandas as pd", "pd.read_json(OLD).to_csv(NEW, index=False)"],
    },
    Format {
        endings: &["jsonl", "ndjson"],
        what: "JSON is not read",
        made: "csv",
        python: ["import pandas as pd", "pd.read_json(OLD, lines=True).to_csv(NEW, index=False)"],
    },
    Format {
        endings: &["h5", "hdf5", "hdf"],
        what: "HDF5 is not read",
        made: "npz",
        python: [
            "import h5py, numpy as np; d = h5py.File(OLD)",
            "np.savez(NEW, x=d['x'], y=d['y'])",
        ],
    },
    Format {
        endings: &["mat"],
        what: "MATLAB's files are not read",
        made: "npz",
        python: [
            "import scipy.io, numpy as np; d = scipy.io.loadmat(OLD)",
            "np.savez(NEW, x=d['x'], y=d['y'])",
        ],
    },
    Format {
        endings: &["pt", "pth"],
        what: "PyTorch's files are not read, because they are pickles",
        made: "npz",
        python: [
            "import torch, numpy as np; d = torch.load(OLD, weights_only=True)",
            "np.savez(NEW, x=d['x'].numpy(), y=d['y'].numpy())",
        ],
    },
];

/// Why a file of this ending is not read, and the line of Python that converts it; none for an ending that
/// nobody knows.
pub(super) fn advice(path: &Path) -> Option<String> {
    let ending = path.extension()?.to_string_lossy().to_lowercase();
    let format = FORMATS.iter().find(|format| format.endings.contains(&ending.as_str()))?;
    let quoted = |path: &Path| format!("'{}'", path.display());
    let python = format.python.join("; ");
    let python = python
        .replace("OLD", &quoted(path))
        .replace("NEW", &quoted(&path.with_extension(format.made)));
    Some(format!("{}; convert it once with\n  python3 -c \"{python}\"", format.what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str) -> String {
        advice(Path::new(name)).unwrap()
    }

    #[test]
    fn a_table_becomes_a_csv_and_arrays_become_an_npz() {
        assert_eq!(
            told("d/a.parquet"),
            "Parquet is not read; convert it once with\n  python3 -c \"import pandas as pd; \
             pd.read_parquet('d/a.parquet').to_csv('d/a.csv', index=False)\""
        );
        assert_eq!(
            told("a.H5"),
            "HDF5 is not read; convert it once with\n  python3 -c \"import h5py, numpy as np; \
             d = h5py.File('a.H5'); np.savez('a.npz', x=d['x'], y=d['y'])\""
        );
        assert_eq!(
            told("a.pth"),
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
        for ending in ["pkl", "pickle", "parquet", "h5", "hdf5", "mat", "xlsx", "xls", "pt", "pth"]
        {
            assert!(told(&format!("a.{ending}")).contains("python3 -c"), "{ending}");
        }
        for ending in ["feather", "arrow", "json"] {
            assert!(
                told(&format!("a.{ending}")).contains("to_csv('a.csv', index=False)"),
                "{ending}"
            );
        }
        assert_eq!(advice(Path::new("a.csv")), None);
        assert_eq!(advice(Path::new("a")), None);
    }
}
