//! A tracker: a record of runs beside the run folder.

use std::fs::File;
use std::io::Write as _;
use std::sync::Mutex;
use triflow::prelude::*;

triflow::component! {
    /// A line for each value, in a text file of the run folder.
    pub struct MyComponent: Tracker = "my_component" {
        /// Name of the file.
        pub file: String = "values.txt".to_owned(),
    }
}

/// The record of one run.
struct Lines {
    name: String,
    file: Mutex<Option<File>>,
}

impl Spec<dyn Tracker> for MyComponent {
    /// Builds what runs; the record begins with `start`.
    fn build(&self, (): &()) -> Result<Box<dyn Tracker>> {
        Ok(Box::new(Lines { name: self.file.clone(), file: Mutex::new(None) }))
    }
}

impl Tracker for Lines {
    fn start(&self, run: &TrackedRun) -> Result<Record> {
        let path = run.folder.join(&self.name);
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(Error::io("open", &path))?;
        *self.file.lock().map_err(|e| Error::runtime(e.to_string()))? = Some(file);
        Ok(Record::default())
    }

    fn epoch(&self, epoch: i64, values: &[(String, f64)]) -> Result<()> {
        let mut file = self.file.lock().map_err(|e| Error::runtime(e.to_string()))?;
        let file = file.as_mut().ok_or_else(|| Error::runtime("the record has not begun"))?;
        for (name, value) in values {
            writeln!(file, "{epoch} {name} {value}").map_err(|e| Error::runtime(e.to_string()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}
