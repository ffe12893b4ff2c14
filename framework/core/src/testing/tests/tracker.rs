use super::Fault;
use crate::prelude::*;
use std::cell::Cell;

triflow::component! {
    /// The number of the last epoch in a file, unless it has a fault.
    pub struct Twin: Tracker = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Counted {
    fault: Fault,
    file: Cell<Option<std::path::PathBuf>>,
}

impl Spec<dyn Tracker> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn Tracker>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Counted { fault: self.fault.clone(), file: Cell::new(None) }))
    }
}

impl Tracker for Counted {
    fn start(&self, run: &TrackedRun) -> Result<Record> {
        let file = run.folder.join("last.txt");
        let last = std::fs::read_to_string(&file).ok().and_then(|text| text.parse().ok());
        self.file.set(Some(file));
        let keep = match run.kept {
            Some(_) if self.fault.is("goes_on") => "another".to_owned(),
            _ => run.name.clone(),
        };
        let last = if self.fault.is("forgets") { last.map(|last: i64| last - 1) } else { last };
        Ok(Record { keep: Some(keep), last })
    }

    fn epoch(&self, epoch: i64, values: &[(String, f64)]) -> Result<()> {
        if self.fault.is("record") && values.iter().any(|(_, value)| !value.is_finite()) {
            return Err(Error::runtime("a value is not finite"));
        }
        let file = self.file.take();
        if let Some(file) = &file {
            std::fs::write(file, epoch.to_string()).map_err(Error::io("write", file))?;
        }
        self.file.set(file);
        Ok(())
    }
}
