//! `generate` from another beginning than noise: states of a file, rows with noise added, rows some
//! of whose entries are given; and the way back from rows to states.

use super::origin::{Beside, complete, incomplete, states};
use super::outputs::{check_out, write_states};
use super::sampling::show_progress;
use crate::args::{SamplingArgs, StartArgs};
use std::path::Path;
use triflow::request::{Samples, check_memory, check_shape, counted, load, rows_of};
use triflow::rng::Streams;
use triflow::tch::{Device, Kind, Tensor};
use triflow::{Error, Result, Start, Trained};

/// Beginning of the paths: a file, with a time.
#[derive(Debug)]
pub(super) enum Beginning<'a> {
    /// States of the path.
    From(&'a Path, Option<f64>),
    /// Rows to which noise is added.
    Edit(&'a Path, f64),
    /// Rows with unknown entries.
    Given(&'a Path),
    /// Rows, of which the states are written.
    Invert(&'a Path, Option<f64>),
}

impl<'a> Beginning<'a> {
    /// The beginning that flags ask for; `None`: noise.
    pub fn of(args: &'a StartArgs) -> Result<Option<Self>> {
        let (flags, at) = (&args.beginning, args.at);
        if let Some(at) = at.filter(|at| !(0.0..1.0).contains(at)) {
            return Err(Error::config("", format!("--at {at}: needs 0 <= at < 1")));
        }
        Ok(match (&flags.from, &flags.edit, &flags.given, &flags.invert) {
            (Some(file), ..) => Some(Self::From(file, at)),
            (_, Some(file), ..) => Some(Self::Edit(file, at.unwrap_or(0.0))),
            (_, _, Some(file), _) => Some(Self::Given(file)),
            (.., Some(file)) => Some(Self::Invert(file, at)),
            _ if at.is_some() => {
                let message = "--at is the time of --from, --edit or --invert, and none is given";
                return Err(Error::config("", message));
            }
            _ => None,
        })
    }
}

/// Number and conditions of the samples.
pub(super) struct Ask<'a> {
    /// Samples of each row.
    pub n: Option<i64>,
    /// Classes, or a file of conditions.
    pub asked: (&'a [String], Option<&'a Path>),
    pub sampling: &'a SamplingArgs,
}

impl Ask<'_> {
    /// True if flags give the conditions.
    pub fn conditions(&self) -> bool {
        !self.asked.0.is_empty() || self.asked.1.is_some()
    }

    /// Numbers of `rows` rows, each as often as it is asked for, in a row.
    fn repeated(&self, rows: i64) -> Tensor {
        let index = Tensor::arange(rows, (Kind::Int64, Device::Cpu));
        index.repeat_interleave_self_int(self.n.unwrap_or(1), 0, None::<i64>)
    }
}

/// Writes samples from a beginning, or states.
pub(super) fn generate(
    run: &Path,
    beginning: &Beginning<'_>,
    ask: &Ask<'_>,
    (out, quiet): (&Path, bool),
) -> Result<()> {
    check_out(out)?;
    if let Some(n) = ask.n.filter(|n| *n < 1) {
        return Err(Error::config("", format!("--n {n}: needs at least 1")));
    }
    let (_, mut model) = load(run, &ask.sampling.options())?;
    let _threads = model.threads();
    let streams = Streams::new(ask.sampling.seed.unwrap_or_else(|| model.experiment().seed()), 0);
    let drawing = Drawing { streams: &streams, out, quiet };
    let (samples, beside, what) = match *beginning {
        Beginning::Invert(file, at) => {
            return invert(&mut model, (file, at), ask, (out, quiet));
        }
        Beginning::From(file, at) => {
            let (z, at, beside) = states(&model, file, at, ask)?;
            let drawn = drawing.of(&mut model, Start::States { z: &z, at }, &beside)?;
            let what = at.map_or("z_0".to_owned(), |at| format!("states at t = {at}"));
            (drawn, beside, format!("from {what}"))
        }
        Beginning::Edit(file, at) => {
            let (batch, beside) = complete(&model, file, ask)?;
            let index = ask.repeated(batch.len());
            let beside = beside.rows(&index)?;
            let batch = batch.rows(&index.to_device(batch.target.device()));
            let z = model.noised(&batch, at, &streams)?;
            let start = Start::States { z: &z, at: Some(at) };
            let drawn = drawing.of(&mut model, start, &beside)?;
            (drawn, beside, format!("edited from t = {at}"))
        }
        Beginning::Given(file) => {
            model.takes_given()?;
            let (values, beside) = incomplete(&model, file, ask)?;
            let index = ask.repeated(values.size()[0]);
            let (values, beside) = (values.index_select(0, &index), beside.rows(&index)?);
            let given = model.given(&values).map_err(|e| Error::data(file, e.to_string()))?;
            let drawn = drawing.of(&mut model, Start::Given(&given), &beside)?;
            // The given entries as they are in the file, without the rounding of units.
            let drawn = model.units().with_given(&drawn, &values);
            (drawn, beside, "with the given entries".to_owned())
        }
    };
    let Beside { conditions, lengths, kept } = beside;
    let drawn = Samples { samples, conditions, lengths, z0: None, kept, origin: what };
    drawn.write(out, &model)?;
    println!("{drawn}, in {}", out.display());
    Ok(())
}

/// Writes the states that lead to the rows of a file.
fn invert(
    model: &mut Trained,
    (file, at): (&Path, Option<f64>),
    ask: &Ask<'_>,
    (out, quiet): (&Path, bool),
) -> Result<()> {
    if !out.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")) {
        let message = format!("--invert needs an .npz file, and --out is {}", out.display());
        return Err(Error::config("", message).help("give --out a name that ends in .npz"));
    }
    let (batch, beside) = complete(model, file, ask)?;
    show_progress(model, quiet, batch.len(), "states");
    let z = model.invert(&batch, at)?;
    write_states(out, &z, at, beside, model.units())?;
    let states = counted(z.size()[0], "state");
    println!("{states} at t = {}, in {}", at.unwrap_or(0.0), out.display());
    Ok(())
}

/// Random numbers, file and progress of samples.
struct Drawing<'d> {
    streams: &'d Streams,
    out: &'d Path,
    quiet: bool,
}

impl Drawing<'_> {
    /// Samples from `start`, in the data's own units.
    fn of(&self, model: &mut Trained, start: Start<'_>, beside: &Beside) -> Result<Tensor> {
        let n = start.rows().unwrap_or(1);
        check_shape(self.out, model)?;
        check_memory(model, n, 1, true)?;
        show_progress(model, self.quiet, n, "samples");
        let conditions = &beside.conditions;
        let conditions = conditions.as_ref().map(|asked| rows_of(model, asked)).transpose()?;
        let (conditions, lengths) = (conditions.as_ref(), &beside.lengths);
        model.sample_starting(start, conditions, lengths, self.streams)
    }
}
