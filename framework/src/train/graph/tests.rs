//! Steps with a recorder that plays back by doing the work again.

use super::*;
use crate::config::Experiment;
use crate::loss::Terms;
use crate::rng::{Purpose, seed_torch};
use crate::train::{Control, Trainer};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

type Log = Rc<RefCell<Vec<&'static str>>>;

/// Remembers what it was asked; cannot record where `fails`.
struct Fake {
    log: Log,
    fails: bool,
}

impl Recorder for Fake {
    fn record(&mut self, work: &mut Work<'_>) -> Result<()> {
        self.log.borrow_mut().push("record");
        work()?;
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

fn fake(fails: bool) -> (Option<Box<dyn Recorder>>, Log) {
    let log = Log::default();
    (Some(Box::new(Fake { log: log.clone(), fails })), log)
}

fn rows(n: i64, value: f64) -> Batch {
    let target = Tensor::full([n], value, tch::kind::FLOAT_CPU);
    Batch { target, condition: None, z0: None, mask: None, condition_mask: None }
}

/// Steps over toy batches, with what was done in each.
struct Toy {
    steps: Steps,
    log: Log,
    step: u64,
}

impl Toy {
    fn new(fails: bool) -> Self {
        let (recorder, log) = fake(fails);
        Self { steps: Steps::new(recorder), log, step: 0 }
    }

    /// Takes a step, checks what it gives, and says how it was taken.
    fn step(&mut self, n: i64, dropout: bool) -> String {
        self.step += 1;
        let (step, log) = (self.step, self.log.clone());
        let batch = rows(n, step as f64);
        let seed = || {
            log.borrow_mut().push("seed");
            seed_torch(7, Purpose::Train, step)
        };
        let outcome = |batch: &Batch| {
            let drawn = Tensor::rand([n], tch::kind::FLOAT_CPU);
            let gradient = &batch.target * (if dropout { 2.0 } else { 1.0 }) + drawn;
            let total = gradient.sum(Kind::Float);
            let flow = &total * 2.0;
            Outcome {
                terms: Terms { total, flow, recon: None, reg: None, vae: None, kl: None },
                gradient,
            }
        };
        let work = |batch: &Batch| {
            log.borrow_mut().push("work");
            Ok(outcome(batch))
        };
        let found = self.steps.take(&batch, dropout, &seed, &work).unwrap();
        let expected = {
            let _stream = seed_torch(7, Purpose::Train, step);
            outcome(&batch)
        };
        for (found, expected) in found.tensors().iter().zip(expected.tensors()) {
            assert_eq!(*found, expected, "step {step}");
        }
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
        Signature::of(&Batch { z0: ones(&[4]), ..rows(4, 0.0) }, true),
        Signature::of(&Batch { mask: ones(&[4, 5]), ..rows(4, 0.0) }, true),
        Signature::of(&Batch { mask: ones(&[4, 6]), ..rows(4, 0.0) }, true),
        Signature::of(&Batch { condition: ones(&[4, 5]), ..rows(4, 0.0) }, true),
        Signature::of(&Batch { condition_mask: ones(&[4, 5]), ..rows(4, 0.0) }, true),
        Signature::of(
            &Batch { target: rows(4, 0.0).target.to_kind(Kind::Double), ..rows(4, 0.0) },
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
    let (recorder, log) = fake(false);
    let mut steps = Steps::new(recorder);
    let seed = || seed_torch(7, Purpose::Train, 0);
    let told = |steps: &mut Steps, work: &dyn Fn(&Batch) -> Result<Outcome>| {
        steps.take(&rows(2, 1.0), true, &seed, work).unwrap_err().to_string()
    };
    for _ in 0..6 {
        assert_eq!(told(&mut steps, &|_| Err(Error::runtime("broken"))), "broken");
    }
    assert_eq!(*log.borrow(), ["record", "drop"]);
}

#[test]
fn training_that_is_replayed_ends_in_the_same_bytes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/train/graph/tests.yaml");
    let yaml = std::fs::read_to_string(file).unwrap();
    let train = |recorder: Option<Box<dyn Recorder>>| {
        let experiment = Experiment::from_yaml(&yaml).unwrap();
        let mut trainer = Trainer::new(experiment, Path::new("")).unwrap();
        assert!(trainer.fit_with(recorder, &mut |_, _| Ok(Control::Continue)).unwrap());
        trainer.state().unwrap()
    };
    let (recorder, log) = fake(false);
    let (played, plain) = (train(recorder), train(None));
    let count = |what: &str| log.borrow().iter().filter(|said| **said == what).count();
    assert_eq!((count("record"), count("drop")), (2, 1));
    assert!(count("replay") > 15, "{log:?}");
    for ((name, played), (_, plain)) in played.tensors.iter().zip(&plain.tensors) {
        assert_eq!(played, plain, "{name}");
    }
    assert_eq!(format!("{:?}", played.history), format!("{:?}", plain.history));
}
