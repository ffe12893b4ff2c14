use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use triflow::io::tfevents::EventWriter;
use triflow::prelude::*;

triflow::component! {
    /// Event files of TensorBoard in the run folder: the loss terms of each epoch.
    pub struct TensorBoard: Tracker = "tensorboard" {}
}

impl Spec<dyn Tracker> for TensorBoard {
    fn build(&self, (): &()) -> Result<Box<dyn Tracker>> {
        Ok(Box::new(Events::default()))
    }
}

/// The folder and the open file.
#[derive(Default)]
struct Events(Mutex<Option<(PathBuf, EventWriter)>>);

impl Events {
    fn writer(&self) -> Result<MutexGuard<'_, Option<(PathBuf, EventWriter)>>> {
        self.0.lock().map_err(|e| Error::runtime(e.to_string()))
    }
}

impl Tracker for Events {
    fn start(&self, run: &TrackedRun) -> Result<Record> {
        let writer = EventWriter::create(&run.folder, run.resumed_at)?;
        *self.writer()? = Some((run.folder.clone(), writer));
        Ok(Record::default())
    }

    fn epoch(&self, epoch: i64, values: &[(String, f64)]) -> Result<()> {
        let mut own = self.writer()?;
        let Some((_, writer)) = &mut *own else {
            return Err(Error::runtime("the event file is not there"));
        };
        for (tag, value) in values {
            writer.scalar(tag, epoch, *value as f32)?;
        }
        writer.flush()
    }

    fn go_back(&self, epoch: i64) -> Result<()> {
        let mut own = self.writer()?;
        if let Some((folder, writer)) = &mut *own {
            *writer = EventWriter::create(folder, Some(epoch))?;
        }
        Ok(())
    }
}
