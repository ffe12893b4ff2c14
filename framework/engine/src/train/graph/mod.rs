//! Training steps that a device records once and replays: one launch instead of some hundred.
//!
//! A record holds all of [`Learning::step`](super::step::Learning::step): forward and backward
//! pass, clipping, optimizer, EMA and the sums of the history.

mod cuda;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod tests;

use super::step::Inputs;
use crate::config::Capture;
use crate::error::{Error, Result};
use crate::registry::guard_engine;
use crate::rng::TorchStream;
use tch::{Device, Kind, Tensor};

/// Steps with the same signature that run eagerly before one is recorded, because libraries
/// initialise themselves in the first ones.
const WARM_UP: u32 = 3;

/// Operations on a device.
pub(crate) type Work<'a> = dyn FnMut() -> Result<()> + 'a;

/// A device that records operations and replays them. It holds one record, whose tensors must keep
/// their addresses.
pub(crate) trait Recorder {
    /// Records `work` without executing it, in place of the former record. After an error there is
    /// no record, and the device works as before.
    fn record(&mut self, work: &mut Work<'_>) -> Result<()>;
    /// Executes the record. `work` has the same effect, for implementations that cannot replay.
    fn replay(&mut self, work: &mut Work<'_>) -> Result<()>;
}

/// Returns the recorder for training on `device`; `None` if steps cannot or shall not be captured.
pub(crate) fn recorder(device: Device, capture: Capture) -> Option<Box<dyn Recorder>> {
    match (device, capture) {
        (Device::Cuda(index), Capture::Auto) => match cuda::Cuda::start(index) {
            Ok(cuda) => Some(Box::new(cuda)),
            Err(why) => {
                log_not_captured(&why);
                None
            }
        },
        _ => None,
    }
}

fn log_not_captured(why: &Error) {
    log::info!("steps are not captured: {why}");
}

/// The constants of a record: a step with another signature cannot be replayed from it.
#[derive(Clone, Debug, PartialEq)]
struct Signature {
    tensors: [Option<(Vec<i64>, Kind)>; 6],
    dropout: bool,
}

impl Signature {
    fn of(batch: &Inputs, dropout: bool) -> Self {
        Self { tensors: batch.tensors().map(|t| t.map(|t| (t.size(), t.kind()))), dropout }
    }
}

struct Recorded {
    signature: Signature,
    inputs: Inputs,
}

/// Way in which a step is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Eager,
    Record,
    Replay,
}

/// Takes steps, eagerly or by recording and replaying them.
#[derive(Default)]
pub(crate) struct Steps {
    recorded: Option<Recorded>,
    recorder: Option<Box<dyn Recorder>>,
    /// The signature that prevails among steps without a record, and its lead over the others.
    prevailing: Option<(Signature, u32)>,
}

impl Steps {
    pub fn new(recorder: Option<Box<dyn Recorder>>) -> Self {
        Self { recorder, ..Self::default() }
    }

    /// Takes the step `work` on `batch`. `seed` is called before anything that may draw random
    /// numbers: a replay draws from the seeded generator, as the eager step does. Tensors that
    /// `work` changes must keep their addresses.
    pub fn take(
        &mut self,
        batch: &Inputs,
        dropout: bool,
        seed: &dyn Fn() -> TorchStream,
        work: &mut dyn FnMut(&Inputs) -> Result<()>,
    ) -> Result<()> {
        match self.replay(batch, dropout, seed, work) {
            Some(Ok(())) => return Ok(()),
            Some(Err(why)) => {
                log_not_captured(&why);
                *self = Self::default();
            }
            None => {}
        }
        let _stream = seed();
        work(batch)
    }

    /// Replays the step, after recording it if that is due; `None` if it is to be taken eagerly.
    fn replay(
        &mut self,
        batch: &Inputs,
        dropout: bool,
        seed: &dyn Fn() -> TorchStream,
        work: &mut dyn FnMut(&Inputs) -> Result<()>,
    ) -> Option<Result<()>> {
        let recorder = &mut **self.recorder.as_mut()?;
        let signature = Signature::of(batch, dropout);
        match choose(self.recorded.as_ref(), &mut self.prevailing, &signature) {
            Mode::Eager => return None,
            // Frees its memory for the next record.
            Mode::Record => self.recorded = None,
            Mode::Replay => {}
        }
        Some(guard_engine(|| {
            let recorded = match self.recorded.take() {
                Some(recorded) => recorded,
                None => {
                    let inputs = batch.copy();
                    let _stream = seed();
                    // The inner guard turns a panic into an error, so that the recording is ended.
                    recorder.record(&mut || guard_engine(|| work(&inputs)))?;
                    Recorded { signature, inputs }
                }
            };
            let Recorded { inputs, .. } = self.recorded.insert(recorded);
            fill(&inputs.tensors(), &batch.tensors());
            let _stream = seed();
            recorder.replay(&mut || guard_engine(|| work(inputs)))
        }))
    }
}

/// Chooses the way in which a step is taken. The last batch of an epoch, which is smaller, is not
/// recorded and does not replace a record; a lasting change of the signature does.
fn choose(
    recorded: Option<&Recorded>,
    prevailing: &mut Option<(Signature, u32)>,
    signature: &Signature,
) -> Mode {
    let replay = recorded.is_some_and(|r| r.signature == *signature);
    match prevailing {
        Some((kind, lead)) if kind == signature => *lead += 1,
        Some((_, lead)) if *lead > 1 => *lead -= 1,
        _ => *prevailing = (!replay).then(|| (signature.clone(), 1)),
    }
    match prevailing {
        _ if replay => Mode::Replay,
        Some((kind, lead)) if kind == signature && *lead > WARM_UP => {
            *prevailing = None;
            Mode::Record
        }
        _ => Mode::Eager,
    }
}

fn fill(to: &[Option<&Tensor>], from: &[Option<&Tensor>]) {
    for (to, from) in to.iter().zip(from) {
        if let (Some(to), Some(from)) = (to, from) {
            to.shallow_clone().copy_(from);
        }
    }
}
