//! The data of a run, checked to be the rows that it began with.

use super::Run;
use crate::config::Layers;
use crate::data::{Data, Identity};
use crate::error::{Error, Result, quoted};
use crate::registry::{Shape, registry};
use crate::trained::Trained;
use serde_json::json;
use std::path::Path;

/// The file with the identity of a run's rows.
const DATA: &str = "data.json";

impl Run {
    /// Loads the run's data in the units of its model: the scale is that of the rows it was trained
    /// on.
    ///
    /// # Errors
    /// If the data cannot be read or do not fit the model, and if they are not the rows that the
    /// run began with: held-out rows could then be among those that it was trained on.
    pub fn data(&self, model: &Trained) -> Result<Data> {
        let data = Data::load_in(model.experiment(), &self.path, model.units());
        let data = data.map_err(|e| self.moved(e))?;
        self.check_data(&data)?;
        Ok(data)
    }

    /// Writes the identity of the rows of a new run.
    pub(super) fn remember_data(&self, data: &Data) -> Result<()> {
        self.write_json(DATA, &json!(data.identity))
    }

    /// Checks that rows are those that the run began with. Runs of earlier versions have no
    /// identity to compare.
    pub(super) fn check_data(&self, data: &Data) -> Result<()> {
        let path = self.file(DATA);
        if !path.is_file() {
            return Ok(());
        }
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let then: Identity = serde_json::from_str(&text)
            .map_err(|e| Error::data(&path, format!("is not what a run writes: {e}")))?;
        let Some(difference) = data.identity.differs_from(&then) else { return Ok(()) };
        let message = format!("the data are not those that this run began with: {difference}");
        let run = quoted(&self.path);
        Err(Error::config("data", message).help(format!(
            "rows that it was trained on could be among those that are held out now; `triflow evaluate \
             --run {run} --data FILE` measures on all rows of a file, and if the run's own file has \
             moved, --data-path FILE says where it is"
        )))
    }

    /// Adds advice on moved data to an error of reading a file that does not exist.
    pub(super) fn moved(&self, error: Error) -> Error {
        match error {
            Error::Data { path, message } if !path.exists() => Error::data(
                &path,
                format!(
                    "{message}; if the data of a run have moved, --data-path FILE says where they are"
                ),
            ),
            other => other,
        }
    }
}

/// Sets the path of a run's data to `file`. Other files of the data source that no longer exist are
/// looked for beside it.
pub(super) fn set_path(layers: &mut Layers, file: &Path) -> Result<()> {
    const FLAG: &str = "--data-path";
    let text = |path: &Path| path.to_string_lossy().into_owned().into();
    let source = layers.get("data.type").or(layers.get("data")).and_then(|name| name.as_str());
    let fields = match source {
        Some(name) => registry().find("data_source", name)?.info.fields(),
        None => return Err(Error::config("data", "names no data source")),
    };
    if fields.iter().all(|field| field.key.name() != "path") {
        let message = "the run's data are not read from a file";
        return Err(Error::config("data", message).help("leave --data-path out"));
    }
    for field in fields.iter().filter(|field| *field.shape.required() == Shape::Path) {
        let key = field.key.name();
        let place = format!("data.{key}");
        let old = layers.get(&place).and_then(|value| value.as_str()).map(Path::new);
        let beside = old.filter(|old| !old.as_os_str().is_empty() && !old.exists());
        let beside = beside.and_then(|old| Some(file.parent()?.join(old.file_name()?)));
        if key == "path" {
            layers.set(&place, text(file), FLAG)?;
        } else if let Some(beside) = beside.filter(|path| path.exists()) {
            layers.set(&place, text(&beside), FLAG)?;
        }
    }
    Ok(())
}
