//! Tests of recorded steps, with a recorder that replays by doing the work again.

use super::*;
use crate::config::Experiment;
use crate::rng::{Purpose, seed_torch};
use crate::train::{Control, Outcome, State, Trainer};
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

/// Calls of a recorder so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    /// Recordings that were started.
    records: usize,
    /// Steps that were replayed.
    played: usize,
    /// `true` once the recorder was dropped.
    dropped: bool,
}

/// A recorder that replays by doing the work again; recording fails if `fails`.
struct Fake {
    counts: Rc<Cell<Counts>>,
    fails: bool,
    /// The tensors that the work changes in place.
    state: Vec<Tensor>,
}

impl Fake {
    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }
}

impl Recorder for Fake {
    fn record(&mut self, work: &mut Work<'_>) -> Result<()> {
        self.count(|counts| counts.records += 1);
        let before: Vec<Tensor> = self.state.iter().map(Tensor::copy).collect();
        let done = work();
        for (now, before) in self.state.iter_mut().zip(&before) {
            tch::no_grad(|| now.copy_(before));
        }
        done?;
        if self.fails { Err(Error::runtime("an operation waits for the device")) } else { Ok(()) }
    }

    fn replay(&mut self, work: &mut Work<'_>) -> Result<()> {
        self.count(|counts| counts.played += 1);
        work()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.count(|counts| counts.dropped = true);
    }
}

fn fake(fails: bool, state: &[&Tensor]) -> (Option<Box<dyn Recorder>>, Rc<Cell<Counts>>) {
    let counts = Rc::<Cell<Counts>>::default();
    let state = state.iter().map(|t| t.shallow_clone()).collect();
    (Some(Box::new(Fake { counts: counts.clone(), fails, state })), counts)
}

fn rows(n: i64, value: f64) -> Inputs {
    let target = Tensor::full([n], value, tch::kind::FLOAT_CPU);
    let rates = Tensor::full([3], value, tch::kind::FLOAT_CPU);
    Inputs { target, condition: None, z0: None, mask: None, condition_mask: None, rates }
}

/// Steps over toy batches.
struct Toy {
    steps: Steps,
    counts: Rc<Cell<Counts>>,
    step: u64,
    /// The tensor that the steps change, and its expected value.
    found: Tensor,
    wanted: Tensor,
}

impl Toy {
    fn new(fails: bool) -> Self {
        let [found, wanted] = [0; 2].map(|_| Tensor::zeros([1], tch::kind::FLOAT_CPU));
        let (recorder, counts) = fake(fails, &[&found]);
        Self { steps: Steps::new(recorder), counts, step: 0, found, wanted }
    }

    /// Takes a step, checks its result, and returns whether it was replayed.
    fn is_replayed(&mut self, kind: (i64, bool)) -> bool {
        self.step += 1;
        let batch = rows(kind.0, self.step as f64);
        self.is_replayed_of(&batch, kind.1)
    }

    fn is_replayed_of(&mut self, batch: &Inputs, dropout: bool) -> bool {
        let step = self.step;
        let seed = || seed_torch(7, Purpose::Train, step);
        let change = |of: &mut Tensor, batch: &Inputs| {
            let drawn = batch.target.rand_like();
            let sum = (&batch.target * (if dropout { 2.0 } else { 1.0 }) + drawn).sum(Kind::Float);
            *of *= 0.5;
            *of += sum * batch.rates.get(1).to_kind(Kind::Float);
        };
        let (before, found) = (self.counts.get(), &mut self.found);
        let mut work = |batch: &Inputs| {
            change(found, batch);
            Ok(())
        };
        self.steps.take(batch, dropout, &seed, &mut work).unwrap();
        {
            let _stream = seed_torch(7, Purpose::Train, step);
            change(&mut self.wanted, batch);
        }
        assert_eq!(self.found, self.wanted, "step {step}");
        self.counts.get().played > before.played
    }

    /// Number of steps, of `count`, that are replayed.
    fn replayed(&mut self, kind: (i64, bool), count: usize) -> usize {
        (0..count).filter(|_| self.is_replayed(kind)).count()
    }

    fn records(&self) -> usize {
        self.counts.get().records
    }
}

/// A full batch of eight rows, with dropout.
const FULL: (i64, bool) = (8, true);
/// The last batch of an epoch.
const LAST: (i64, bool) = (3, true);

#[test]
fn all_but_the_first_few_steps_of_one_kind_are_replayed_from_one_recording() {
    let mut toy = Toy::new(false);
    assert_eq!(toy.replayed(FULL, 1), 0, "the first step initialises libraries");
    assert!(toy.replayed(FULL, 9) >= 5);
    assert_eq!((toy.replayed(FULL, 90), toy.records()), (90, 1));
}

#[test]
fn a_smaller_last_batch_is_never_replayed_and_does_not_displace_the_recording() {
    for full in [2, 4, 9] {
        let mut toy = Toy::new(false);
        let epoch = |toy: &mut Toy| (toy.replayed(FULL, full), toy.replayed(LAST, 1));
        let first: usize = (0..6).map(|_| epoch(&mut toy).0).sum();
        assert!(first >= 6 * full - 8, "{first} of {}", 6 * full);
        for _ in 0..20 {
            assert_eq!(epoch(&mut toy), (full, 0));
        }
        assert_eq!(toy.records(), 1);
    }
}

#[test]
fn a_lasting_change_is_recorded_once_more_and_kinds_that_alternate_are_not() {
    let mut toy = Toy::new(false);
    for (i, kind) in [FULL, (8, false), (6, false), FULL].into_iter().enumerate() {
        assert!(toy.replayed(kind, 10) >= 5, "{kind:?}");
        assert_eq!((toy.replayed(kind, 10), toy.records()), (10, i + 1));
    }
    let mut toy = Toy::new(false);
    for _ in 0..20 {
        toy.replayed((8, false), 1);
        toy.replayed((8, true), 1);
    }
    assert!(toy.records() <= 1, "{}", toy.records());
}

#[test]
fn no_step_is_replayed_from_the_recording_of_one_with_other_tensors() {
    let ones = |shape: &[i64]| Some(Tensor::ones(shape, tch::kind::FLOAT_CPU));
    let double = |t: &Tensor| t.to_kind(Kind::Double);
    let plain = || rows(4, 1.0);
    let kinds = [
        (plain(), true),
        (plain(), false),
        (rows(3, 1.0), true),
        (Inputs { z0: ones(&[4]), ..plain() }, true),
        (Inputs { mask: ones(&[4, 5]), ..plain() }, true),
        (Inputs { mask: ones(&[4, 6]), ..plain() }, true),
        (Inputs { condition: ones(&[4, 5]), ..plain() }, true),
        (Inputs { condition_mask: ones(&[4, 5]), ..plain() }, true),
        (Inputs { rates: double(&plain().rates), ..plain() }, true),
        (Inputs { target: double(&plain().target), ..plain() }, true),
    ];
    for (i, (recorded, dropout)) in kinds.iter().enumerate() {
        let mut toy = Toy::new(false);
        for _ in 0..10 {
            toy.is_replayed_of(recorded, *dropout);
        }
        for (j, (batch, dropout)) in kinds.iter().enumerate() {
            assert_eq!(toy.is_replayed_of(batch, *dropout), i == j, "{i} {j}");
        }
    }
}

#[test]
fn after_a_recording_has_failed_all_steps_run_eagerly() {
    let mut toy = Toy::new(true);
    assert_eq!(toy.replayed(FULL, 50), 0);
    assert_eq!(toy.counts.get(), Counts { records: 1, played: 0, dropped: true });
}

#[test]
fn an_error_of_the_step_itself_is_told_and_ends_recording() {
    let (recorder, counts) = fake(false, &[]);
    let mut steps = Steps::new(recorder);
    let seed = || seed_torch(7, Purpose::Train, 0);
    for _ in 0..12 {
        let mut work = |_: &Inputs| Err(Error::runtime("broken"));
        let told = steps.take(&rows(2, 1.0), true, &seed, &mut work).unwrap_err();
        assert_eq!(told.to_string(), "broken");
    }
    assert_eq!(counts.get(), Counts { records: 1, played: 0, dropped: true });
}

/// Trains the experiment of `tests.yaml` with some texts in it replaced, and returns the state and
/// how many times steps were recorded and replayed.
fn train(changes: &[(&str, &str)], recorded: bool) -> (State, usize, usize) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/train/graph/tests.yaml");
    let yaml = std::fs::read_to_string(file).unwrap();
    let yaml = changes.iter().fold(yaml, |yaml, (from, to)| {
        assert!(yaml.contains(from), "{from}");
        yaml.replace(from, to)
    });
    let mut trainer = Trainer::new(Experiment::from_yaml(&yaml).unwrap(), Path::new("")).unwrap();
    let state: Vec<&Tensor> = trainer.tensors().unwrap().into_iter().map(|(_, t)| t).collect();
    let (recorder, counts) = fake(false, &state);
    let recorder = recorder.filter(|_| recorded);
    let outcome = trainer.train_with(recorder, &mut |_, _| Ok(Control::Continue)).unwrap();
    assert_eq!(outcome, Outcome::Ended);
    (trainer.state().unwrap(), counts.get().records, counts.get().played)
}

fn same(played: &State, plain: &State) {
    for ((name, played), (_, plain)) in played.tensors.iter().zip(&plain.tensors) {
        assert_eq!(played, plain, "{name}");
    }
    assert_eq!(format!("{:?}", played.history), format!("{:?}", plain.history));
}

#[test]
fn training_that_is_replayed_ends_in_the_same_bytes() {
    let (played, recorded, replayed) = train(&[], true);
    assert!(recorded == 2 && replayed > 15, "{recorded} {replayed}");
    same(&played, &train(&[], false).0);
    let names: Vec<&str> = played.tensors.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["parameters", "sums", "norms", "ema", "moment.mean"]);
}

#[test]
fn what_an_optimizer_puts_in_place_of_a_moment_is_found_where_that_was() {
    let replaces = [("optimizer: my_component", "optimizer: replaces_here")];
    let (played, recorded, _) = train(&replaces, true);
    assert_eq!(recorded, 2);
    same(&played, &train(&replaces, false).0);
}
