//! Requests in the body of a call, in JSON or as an `.npz`.

use crate::rows::GivenRows;
use serde_yaml::Value as Yaml;
use std::path::{Path, PathBuf};
use triflow::io::{npz, read_texts};
use triflow::registry::{Group, Mapping, Parameter, Setting, Shape, group_schema, needs};
use triflow::request::{
    Conditions, PredictionPlan, PredictionRequest, SamplePlan, SampleRequest, Seeds,
    plan_predictions, plan_samples,
};
use triflow::run::Run;
use triflow::tch::Tensor;
use triflow::{Error, Result, Trained, parameters};

/// Type of arrays in an `.npz`.
pub const NPZ: &str = "application/x-npz";

/// Name of a class; a number is its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Setting for Label {
    fn write(&self) -> Result<Yaml> {
        Ok(self.0.as_str().into())
    }
}

impl Parameter for Label {
    fn shape() -> Shape {
        Shape::Other {
            name: "name of a class",
            schema: r#"{ "type": ["string", "number", "boolean"] }"#,
        }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        match yaml {
            Yaml::String(name) => Ok(Self(name.clone())),
            Yaml::Number(n) => Ok(Self(n.to_string())),
            Yaml::Bool(is) => Ok(Self(is.to_string())),
            other => Err(needs("the name of a class", other)),
        }
    }
}

parameters! {
    /// A request for samples.
    pub struct GenerateBody {
        /// Number of samples of each class or condition; null: 100, or 1 for each row of
        /// `condition`.
        #[range(min = 1)]
        pub n: Option<i64> = None,
        /// Seed of z_0; null: the server's.
        pub seed: Option<u64> = None,
        /// A seed for each sample, in place of `n` and `seed`.
        pub seeds: Vec<u64> = Vec::new(),
        /// Classes to generate, by their names in the data; empty: all.
        pub labels: Vec<Label> = Vec::new(),
        /// Conditions, one a row, in place of `labels`.
        pub condition: GivenRows = GivenRows::default(),
        /// Lengths of conditions that are sequences; empty: all are full.
        #[range(min = 1)]
        pub condition_lengths: Vec<i64> = Vec::new(),
        /// Lengths of samples that are sequences; empty: all are full.
        #[range(min = 1)]
        pub lengths: Vec<i64> = Vec::new(),
        /// True to return the z_0 of each sample as well; the result is arrays then.
        pub z0: bool = false,
    }
}

parameters! {
    /// A request for predictions.
    pub struct PredictBody {
        /// Rows of x.
        pub x: GivenRows = GivenRows::default(),
        /// Number of draws of each prediction, whose mean and deviation are returned; null: one.
        #[range(min = 1, max = 1_000_000)]
        pub samples: Option<u64> = None,
        /// Seed of z_0; null: the server's with `samples`, and z_0 = 0 without.
        pub seed: Option<u64> = None,
        /// A seed for each row, in place of `seed`.
        pub seeds: Vec<u64> = Vec::new(),
        /// Lengths of x that are sequences; empty: all are full.
        #[range(min = 1)]
        pub x_lengths: Vec<i64> = Vec::new(),
        /// Lengths of predictions that are sequences; empty: all are full.
        #[range(min = 1)]
        pub lengths: Vec<i64> = Vec::new(),
    }
}

/// A request that was read.
#[derive(Debug)]
pub struct Ask {
    pub body: Body,
    /// Folder of the request's files, which goes with it.
    folder: tempfile::TempDir,
    /// File of rows in the folder, which a body in `.npz` is.
    file: Option<PathBuf>,
}

/// What is asked for.
#[derive(Debug)]
pub enum Body {
    Generate(GenerateBody),
    Predict(PredictBody),
}

/// A request whose conditions and random streams are known.
#[derive(Debug)]
pub enum Plan {
    Samples(SamplePlan),
    Predictions(PredictionPlan),
}

/// The work that a path of the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Generate,
    Predict,
}

impl Work {
    /// Name of the work, which is its path without the slash.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Predict => "predict",
        }
    }

    /// JSON schema of a request.
    pub fn schema(self) -> serde_json::Value {
        match self {
            Self::Generate => group_schema::<GenerateBody>(),
            Self::Predict => group_schema::<PredictBody>(),
        }
    }

    fn read(self, yaml: &Yaml) -> Result<Body> {
        Ok(match self {
            Self::Generate => Body::Generate(checked(yaml)?),
            Self::Predict => Body::Predict(checked(yaml)?),
        })
    }

    /// Reads a request in JSON.
    ///
    /// # Errors
    /// [`Error::Config`]: it is no JSON, has an unknown key, or a value is wrong.
    pub fn of_json(self, body: &[u8]) -> Result<Ask> {
        let yaml: Yaml = serde_json::from_slice(body)
            .map_err(|e| Error::config("", format!("the body is not JSON: {e}")))?;
        let body = self.read(&yaml)?;
        Ok(Ask { body, folder: folder()?, file: None })
    }

    /// Reads a request in an `.npz`: arrays by the names of the keys, and rows as a file of the
    /// experiment has them. Arrays of at most `most` bytes together.
    ///
    /// # Errors
    /// [`Error::Data`]: it is no `.npz`, or too large when it is unpacked. [`Error::Config`]: a
    /// value is wrong.
    pub fn of_npz(self, body: &[u8], most: u64) -> Result<Ask> {
        let folder = folder()?;
        let file = folder.path().join("rows.npz");
        check_size(body, most)?;
        std::fs::write(&file, body).map_err(Error::io("write", &file))?;
        let named = |e: Error| renamed(e, &file, "the body");
        let names = npz::list_names(&file).map_err(named)?;
        let mut keys = Mapping::new();
        let known = match self {
            Self::Generate => &["n", "seed", "seeds", "labels", "z0"][..],
            Self::Predict => &["samples", "seed", "seeds"],
        };
        for name in known.iter().filter(|known| names.iter().any(|name| name == *known)) {
            keys.insert((*name).into(), value(&file, name).map_err(named)?);
        }
        let others = names.iter().any(|name| !known.contains(&name.as_str()));
        let body = self.read(&Yaml::Mapping(keys))?;
        let file = others.then_some(file);
        Ok(Ask { body, folder, file })
    }
}

fn folder() -> Result<tempfile::TempDir> {
    let made = tempfile::Builder::new().prefix("triflow-serve-").tempdir();
    made.map_err(|e| Error::runtime(format!("cannot make a folder for a request: {e}")))
}

/// Reads a group of keys and checks their ranges.
fn checked<G: Group>(yaml: &Yaml) -> Result<G> {
    let body = G::read(yaml)?;
    triflow::registry::check_group(&body)?;
    Ok(body)
}

/// Checks the size of the unpacked arrays.
fn check_size(body: &[u8], most: u64) -> Result<()> {
    let no_archive = |e: zip::result::ZipError| {
        Error::data(Path::new("the body"), format!("is not an .npz archive: {e}"))
    };
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(body)).map_err(no_archive)?;
    let mut all = 0_u64;
    for i in 0..archive.len() {
        all = all.saturating_add(archive.by_index_raw(i).map_err(no_archive)?.size());
    }
    if all > most {
        let message = format!("holds {all} bytes unpacked, and at most {most} are read");
        return Err(Error::data(Path::new("the body"), message));
    }
    Ok(())
}

/// An array of numbers or texts as the value of a key.
fn value(file: &Path, name: &str) -> Result<Yaml> {
    if let Some(texts) = read_texts(file, name)? {
        return Ok(Yaml::Sequence(texts.into_iter().map(Yaml::String).collect()));
    }
    let array = npz::read_array(file, name)?;
    if array.data.len() > 1 << 20 {
        return Err(Error::config(name, format!("has {} entries", array.data.len())));
    }
    let numbers = serde_yaml::to_value(crate::json::numbers(&array.data)?);
    let numbers = numbers.map_err(|e| Error::runtime(e.to_string()))?;
    match (array.shape.len(), numbers) {
        (0, Yaml::Sequence(mut one)) => Ok(one.pop().unwrap_or(Yaml::Null)),
        (1, numbers) => Ok(numbers),
        (dimensions, _) => {
            let message = format!("needs a number or a list, got {dimensions} dimensions");
            Err(Error::config(name, message))
        }
    }
}

/// An error about a file of a request, about `name` instead.
fn renamed(error: Error, file: &Path, name: &str) -> Error {
    let text = file.display().to_string();
    match error {
        Error::Data { path, message } if path == file => {
            Error::data(Path::new(name), message.replace(&text, name))
        }
        Error::Config(mut e) => {
            e.message = e.message.replace(&text, name);
            e.help = e.help.map(|help| help.replace(&text, name));
            e.place = e.place.map(|place| place.replace(&text, name));
            Error::Config(e)
        }
        other => other,
    }
}

/// Lengths of sequences as a tensor; `None` without any.
fn lengths(all: &[i64]) -> Option<Tensor> {
    (!all.is_empty()).then(|| Tensor::from_slice(all))
}

/// An error where two keys exclude each other.
fn either(one: (&str, bool), other: (&str, bool)) -> Result<()> {
    if one.1 && other.1 {
        let message = format!("give either `{}` or `{}`", one.0, other.0);
        return Err(Error::config(one.0, message));
    }
    Ok(())
}

/// Seeds that were given one by one.
fn seeds(all: &[u64]) -> Result<Option<Seeds>> {
    match all {
        [] => Ok(None),
        all => Seeds::given("seeds", all.to_vec()).map(Some),
    }
}

impl Ask {
    /// The request for `model`, of at most `limit` rows; `seed` is the server's.
    ///
    /// # Errors
    /// Those of [`plan_samples`] and [`plan_predictions`].
    pub fn plan(
        &self,
        (run, model): (&Run, &Trained),
        (limit, seed): (i64, Option<u64>),
    ) -> Result<Plan> {
        let limit = Some(limit);
        match &self.body {
            Body::Generate(body) => {
                let rows = body.condition.are_given();
                either(("seeds", !body.seeds.is_empty()), ("n", body.n.is_some()))?;
                either(("seeds", !body.seeds.is_empty()), ("seed", body.seed.is_some()))?;
                either(("labels", !body.labels.is_empty()), ("condition", rows))?;
                let labels: Vec<String> = body.labels.iter().map(|label| label.0.clone()).collect();
                let both = [lengths(&body.condition_lengths), lengths(&body.lengths)];
                self.with_rows((model, "condition"), &body.condition, both, |given| {
                    let conditions = given.unwrap_or_else(|| Conditions::of(&labels, None));
                    let seeds = seeds(&body.seeds)?;
                    let seed = body.seed.or(seed);
                    let (n, save_z0, trajectories) = (body.n, body.z0, false);
                    let request =
                        SampleRequest { n, seed, seeds, conditions, save_z0, trajectories, limit };
                    plan_samples(model, request).map(Plan::Samples)
                })
            }
            Body::Predict(body) => {
                either(("seeds", !body.seeds.is_empty()), ("seed", body.seed.is_some()))?;
                let both = [lengths(&body.x_lengths), lengths(&body.lengths)];
                self.with_rows((model, "x"), &body.x, both, |given| {
                    let x = given.ok_or_else(|| {
                        let help = "give rows of x, as records or as lists of numbers";
                        Error::config("x", "there are no rows").help(help)
                    })?;
                    let seeds = seeds(&body.seeds)?;
                    let request = PredictionRequest {
                        samples: body.samples,
                        seed: body.seed.or(seed),
                        seeds,
                        x,
                        limit,
                    };
                    plan_predictions((run, model), request).map(Plan::Predictions)
                })
            }
        }
    }

    /// Calls `plan` with the rows of the request, which are called `name` in errors.
    fn with_rows(
        &self,
        (model, name): (&Trained, &str),
        rows: &GivenRows,
        lengths: [Option<Tensor>; 2],
        plan: impl FnOnce(Option<Conditions<'_>>) -> Result<Plan>,
    ) -> Result<Plan> {
        match &self.file {
            Some(file) => {
                plan(Some(Conditions::File(file))).map_err(|e| renamed(e, file, "the body"))
            }
            None => {
                let file = self.folder.path().join(GivenRows::file_name(model));
                let given = rows.conditions((model, name), lengths, &file);
                given.and_then(plan).map_err(|e| renamed(e, &file, name))
            }
        }
    }

    /// The work that is asked for.
    pub fn work(&self) -> Work {
        match self.body {
            Body::Generate(_) => Work::Generate,
            Body::Predict(_) => Work::Predict,
        }
    }

    /// True if the result has arrays that a table lacks.
    pub fn needs_arrays(&self) -> bool {
        matches!(&self.body, Body::Generate(GenerateBody { z0: true, .. }))
    }
}
