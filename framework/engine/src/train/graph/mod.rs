//! Steps that a device records once and plays back: one launch in place of some hundred.
//!
//! Recorded is all of [`Learning::step`](super::step::Learning::step): forward and backward pass, clipping,
//! optimizer, running mean and the sums of the history.

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

/// Steps of one kind that are taken as usual before one is recorded: libraries set themselves up in the first.
const WARM_UP: u32 = 3;

/// Something to be done on a device.
pub(crate) type Work<'a> = dyn FnMut() -> Result<()> + 'a;

/// A device that remembers what it was told to do. It holds one record; the tensors that occur in it stay where
/// they are.
pub(crate) trait Recorder {
    /// Records `work` in place of what was recorded before, without carrying it out. After an error there is no
    /// record, and the device works as before.
    fn record(&mut self, work: &mut Work<'_>) -> Result<()>;
    /// Does what was recorded. `work` does the same, for what cannot play back.
    fn replay(&mut self, work: &mut Work<'_>) -> Result<()>;
}

/// The recorder for training on `device`, where there is one.
pub(crate) fn recorder(device: Device, capture: Capture) -> Option<Box<dyn Recorder>> {
    match (device, capture) {
        (Device::Cuda(index), Capture::Auto) => match cuda::Cuda::start(index) {
            Ok(cuda) => Some(Box::new(cuda)),
            Err(why) => {
                not_captured(&why);
                None
            }
        },
        _ => None,
    }
}

fn not_captured(why: &Error) {
    log::info!("steps are not captured: {why}");
}

/// What a record has burnt in. A step with another cannot be played back from it.
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

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Eager,
    Record,
    Replay,
}

/// Takes steps: as usual, or recorded and played back where the device can.
#[derive(Default)]
pub(crate) struct Steps {
    recorded: Option<Recorded>,
    recorder: Option<Box<dyn Recorder>>,
    /// The kind of step that prevails among those without a record, and its lead over the others.
    prevailing: Option<(Signature, u32)>,
}

impl Steps {
    pub fn new(recorder: Option<Box<dyn Recorder>>) -> Self {
        Self { recorder, ..Self::default() }
    }

    /// Does `work` with `batch`. `seed` is called before whatever may draw: a record that plays draws from where the
    /// seed has put the generator, as the step itself would. Whatever `work` changes has to stay where it lies.
    pub fn take(
        &mut self,
        batch: &Inputs,
        dropout: bool,
        seed: &dyn Fn() -> TorchStream,
        work: &mut dyn FnMut(&Inputs) -> Result<()>,
    ) -> Result<()> {
        match self.play(batch, dropout, seed, work) {
            Some(Ok(())) => return Ok(()),
            Some(Err(why)) => {
                not_captured(&why);
                *self = Self::default();
            }
            None => {}
        }
        let _stream = seed();
        work(batch)
    }

    /// The step played back, recorded before where that is due; none if it is to be taken as usual.
    fn play(
        &mut self,
        batch: &Inputs,
        dropout: bool,
        seed: &dyn Fn() -> TorchStream,
        work: &mut dyn FnMut(&Inputs) -> Result<()>,
    ) -> Option<Result<()>> {
        let recorder = &mut **self.recorder.as_mut()?;
        let signature = Signature::of(batch, dropout);
        match choose(self.recorded.as_ref(), &mut self.prevailing, &signature) {
            How::Eager => return None,
            // Its memory is free for the next.
            How::Record => self.recorded = None,
            How::Replay => {}
        }
        Some(guard_engine(|| {
            let kept = match self.recorded.take() {
                Some(kept) => kept,
                None => {
                    let inputs = batch.copy();
                    let _stream = seed();
                    // A panic has to leave the recording before it goes on.
                    recorder.record(&mut || guard_engine(|| work(&inputs)))?;
                    Recorded { signature, inputs }
                }
            };
            let Recorded { inputs, .. } = self.recorded.insert(kept);
            fill(&inputs.tensors(), &batch.tensors());
            let _stream = seed();
            recorder.replay(&mut || guard_engine(|| work(inputs)))
        }))
    }
}

/// How a step is taken. The last batch of an epoch, which is smaller, neither is recorded nor replaces a record; a
/// lasting change does.
fn choose(
    recorded: Option<&Recorded>,
    prevailing: &mut Option<(Signature, u32)>,
    signature: &Signature,
) -> How {
    let replay = recorded.is_some_and(|r| r.signature == *signature);
    match prevailing {
        Some((kind, lead)) if kind == signature => *lead += 1,
        Some((_, lead)) if *lead > 1 => *lead -= 1,
        _ => *prevailing = (!replay).then(|| (signature.clone(), 1)),
    }
    match prevailing {
        _ if replay => How::Replay,
        Some((kind, lead)) if kind == signature && *lead > WARM_UP => {
            *prevailing = None;
            How::Record
        }
        _ => How::Eager,
    }
}

fn fill(to: &[Option<&Tensor>], from: &[Option<&Tensor>]) {
    for (to, from) in to.iter().zip(from) {
        if let (Some(to), Some(from)) = (to, from) {
            to.shallow_clone().copy_(from);
        }
    }
}
