//! Tests of recorded steps, with a recorder that replays by doing the work again.

use super::*;
use crate::config::Experiment;
use crate::rng::{Purpose, seed_torch};
use crate::train::{Control, State, Trainer};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

type Log = Rc<RefCell<Vec<&'static str>>>;

/// A recorder that logs its calls; recording fails if `fails`.
struct Fake {
    log: Log,
    fails: bool,
    /// The tensors that the work changes in place.
    state: Vec<Tensor>,
}

impl Recorder for Fake {
    fn record(&mut self, work: &mut Work<'_>) -> Result<()> {
        self.log.borrow_mut().push("record");
        let before: Vec<Tensor> = self.state.iter().map(Tensor::copy).collect();
        let done = work();
        for (now, before) in self.state.iter_mut().zip(&before) {
            tch::no_grad(|| now.copy_(before));
        }
        done?;
        if self.fails { Err(Error::runtime("an operation waits for the device")) } else { Ok(()) }
    }

    fn replay(&mut self, work: &mut Work<'_>) -> Result<()> {
        self.log.borrow_mut().push("replay");
        work()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.log.borrow_mut().push("drop");
    }
}

fn fake(fails: bool, state: &[&Tensor]) -> (Option<Box<dyn Recorder>>, Log) {
    let log = Log::default();
    let state = state.iter().map(|t| t.shallow_clone()).collect();
    (Some(Box::new(Fake { log: log.clone(), fails, state })), log)
}

fn rows(n: i64, value: f64) -> Inputs {
    let target = Tensor::full([n], value, tch::kind::FLOAT_CPU);
    let rates = Tensor::full([3], value, tch::kind::FLOAT_CPU);
    Inputs { target, condition: None, z0: None, mask: None, condition_mask: None, rates }
}

/// Steps over toy batches, with a log of the calls in each.
struct Toy {
    steps: Steps,
    log: Log,
    step: u64,
    /// The tensor that the steps change, and its expected value.
    found: Tensor,
    wanted: Tensor,
}

impl Toy {
    fn new(fails: bool) -> Self {
        let [found, wanted] = [0; 2].map(|_| Tensor::zeros([1], tch::kind::FLOAT_CPU));
        let (recorder, log) = fake(fails, &[&found]);
        Self { steps: Steps::new(recorder), log, step: 0, found, wanted }
    }

    /// Takes a step, checks its result, and returns the calls.
    fn step(&mut self, n: i64, dropout: bool) -> String {
        self.step += 1;
        let (step, log) = (self.step, self.log.clone());
        let batch = rows(n, step as f64);
        let seed = || {
            log.borrow_mut().push("seed");
            seed_torch(7, Purpose::Train, step)
        };
        let change = |of: &mut Tensor, batch: &Inputs| {
            let drawn = Tensor::rand([n], tch::kind::FLOAT_CPU);
            let sum = (&batch.target * (if dropout { 2.0 } else { 1.0 }) + drawn).sum(Kind::Float);
            *of *= 0.5;
            *of += sum * batch.rates.get(1);
        };
        let found = &mut self.found;
        let mut work = |batch: &Inputs| {
            log.borrow_mut().push("work");
            change(found, batch);
            Ok(())
        };
        self.steps.take(&batch, dropout, &seed, &mut work).unwrap();
        {
            let _stream = seed_torch(7, Purpose::Train, step);
            change(&mut self.wanted, &batch);
        }
        assert_eq!(self.found, self.wanted, "step {step}");
        self.log.take().join(" ")
    }

    fn steps(&mut self, n: i64, dropout: bool, count: usize) -> Vec<String> {
        (0..count).map(|_| self.step(n, dropout)).collect()
    }
}

const EAGER: &str = "seed work";
const RECORD: &str = "seed record work seed replay work";
const REPLAY: &str = "seed replay work";

#[test]
fn steps_are_taken_then_recorded_then_replayed_and_a_smaller_last_batch_is_taken() {
    let mut toy = Toy::new(false);
    assert_eq!(toy.steps(8, true, 4), [EAGER, EAGER, EAGER, RECORD]);
    assert_eq!(toy.step(3, true), EAGER);
    for _ in 0..6 {
        assert_eq!(toy.steps(8, true, 2), [REPLAY, REPLAY]);
        assert_eq!(toy.step(3, true), EAGER);
    }
}

#[test]
fn epochs_shorter_than_the_warm_up_are_recorded_too() {
    let mut toy = Toy::new(false);
    let mut taken = Vec::new();
    for _ in 0..5 {
        taken.extend(toy.steps(8, true, 2));
        assert_eq!(toy.step(3, true), EAGER);
    }
    assert_eq!(taken[..6], [EAGER, EAGER, EAGER, EAGER, EAGER, RECORD]);
    assert!(taken[6..].iter().all(|how| how == REPLAY), "{taken:?}");
}

#[test]
fn a_lasting_change_is_recorded_anew() {
    let mut toy = Toy::new(false);
    toy.steps(8, true, 6);
    assert_eq!(toy.steps(8, false, 5), [EAGER, EAGER, EAGER, RECORD, REPLAY]);
    assert_eq!(toy.steps(6, false, 5), [EAGER, EAGER, EAGER, RECORD, REPLAY]);
}

#[test]
fn a_signature_is_all_that_is_burnt_in() {
    let plain = Signature::of(&rows(4, 0.0), true);
    assert_eq!(plain, Signature::of(&rows(4, 1.0), true));
    let ones = |shape: &[i64]| Some(Tensor::ones(shape, tch::kind::FLOAT_CPU));
    let others = [
        Signature::of(&rows(4, 0.0), false),
        Signature::of(&rows(3, 0.0), true),
        Signature::of(&Inputs { z0: ones(&[4]), ..rows(4, 0.0) }, true),
        Signature::of(&Inputs { mask: ones(&[4, 5]), ..rows(4, 0.0) }, true),
        Signature::of(&Inputs { mask: ones(&[4, 6]), ..rows(4, 0.0) }, true),
        Signature::of(&Inputs { condition: ones(&[4, 5]), ..rows(4, 0.0) }, true),
        Signature::of(&Inputs { condition_mask: ones(&[4, 5]), ..rows(4, 0.0) }, true),
        Signature::of(
            &Inputs { rates: rows(4, 0.0).rates.to_kind(Kind::Double), ..rows(4, 0.0) },
            true,
        ),
        Signature::of(
            &Inputs { target: rows(4, 0.0).target.to_kind(Kind::Double), ..rows(4, 0.0) },
            true,
        ),
    ];
    for (i, one) in others.iter().enumerate() {
        assert_ne!(*one, plain, "{i}");
        assert!(others[..i].iter().all(|other| other != one), "{i}");
    }
}

#[test]
fn what_cannot_be_recorded_is_taken_as_usual_for_good() {
    let mut toy = Toy::new(true);
    toy.steps(8, true, 3);
    assert_eq!(toy.step(8, true), "seed record work drop seed work");
    assert_eq!(toy.steps(8, true, 9), [EAGER; 9]);
}

#[test]
fn an_error_of_the_step_itself_is_told() {
    let (recorder, log) = fake(false, &[]);
    let mut steps = Steps::new(recorder);
    let seed = || seed_torch(7, Purpose::Train, 0);
    for _ in 0..6 {
        let mut work = |_: &Inputs| Err(Error::runtime("broken"));
        let told = steps.take(&rows(2, 1.0), true, &seed, &mut work).unwrap_err();
        assert_eq!(told.to_string(), "broken");
    }
    assert_eq!(*log.borrow(), ["record", "drop"]);
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
    let (recorder, log) = fake(false, &state);
    let recorder = recorder.filter(|_| recorded);
    assert!(trainer.fit_with(recorder, &mut |_, _| Ok(Control::Continue)).unwrap());
    let count = |what: &str| log.borrow().iter().filter(|said| **said == what).count();
    (trainer.state().unwrap(), count("record"), count("replay"))
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
    assert_eq!(names, ["parameters", "sums", "ema", "moment.mean"]);
}

#[test]
fn what_an_optimizer_puts_in_place_of_a_moment_is_found_where_that_was() {
    let replaces = [("optimizer: my_component", "optimizer: replaces_here")];
    let (played, recorded, _) = train(&replaces, true);
    assert_eq!(recorded, 2);
    same(&played, &train(&replaces, false).0);
}
