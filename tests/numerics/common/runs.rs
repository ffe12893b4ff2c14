//! Runs that are stopped, and their files.

use std::path::Path;
use triflow::run::RunObserver;
use triflow::train::Event;

/// Asks for a stop after a number of steps in all; the second number counts them.
pub struct StopAfter(pub u64, pub u64);

impl RunObserver for StopAfter {
    fn step(&mut self, _: &Event<'_>) {
        self.1 += 1;
    }

    fn stop(&self) -> bool {
        self.1 >= self.0
    }
}

/// Content of a file of a run.
pub fn read(run: &Path, name: &str) -> Vec<u8> {
    std::fs::read(run.join(name)).unwrap()
}
