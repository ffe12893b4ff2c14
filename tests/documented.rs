//! The Rust code of the documents, compiled and tried. Every block of `rust` in a document stands
//! word for word in this file, in an example, or in a crate that triflow writes.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::{Path, PathBuf};

mod schedule {
    use triflow::prelude::*;

    triflow::component! {
        /// The summary in every table. The doc comments are the documentation.
        pub struct MySchedule: NoiseSchedule = "my_schedule" {
            /// Each parameter: meaning, range, type, default.
            #[range(above = 0)]
            pub range: f64 = 6.0,
        }
    }

    impl Spec<dyn NoiseSchedule> for MySchedule {
        // Create variables below ctx.vars and return what is built; ranges are checked before.
        fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
            Ok(Box::new(self.clone()))
        }
    }

    impl NoiseSchedule for MySchedule {
        fn gamma(&self, t: &Tensor) -> Result<Tensor> {
            Ok((t * 2.0 - 1.0) * self.range)
        }
    }

    #[test]
    fn conforms() {
        triflow::testing::conforms(MySchedule::default());
    }
}

mod solver {
    use triflow::prelude::*;

    triflow::component! {
        /// Steps along the predicted data, extrapolated from the step before.
        pub struct MySolver: Solver = "my_solver" {}
    }

    impl Spec<dyn Solver> for MySolver {
        fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
            Ok(Box::new(self.clone()))
        }
    }

    impl Stepper for MySolver {
        type Node = Level; // what is known at both ends of a step: the path's `Level`, or nothing, `()`
        type Memory = Tensor; // passed from step to step; `()` for one-step methods

        fn step(&self, step: &Step<'_, Self>) -> Result<Stepped<Tensor>> {
            let data = step.predicted()?;
            let line = match step.before {
                Some(earlier) => &data * 1.5 - earlier * 0.5,
                None => data.shallow_clone(),
            };
            Ok(Stepped::to(step.held(&line)).remember(data))
        }

        fn order(&self) -> usize {
            1
        }
    }

    #[test]
    fn conforms() {
        triflow::testing::conforms(MySolver::default());
    }
}

mod source {
    use triflow::prelude::*;
    use triflow::rng::{Purpose, seed_torch};
    use triflow::tch::{Device, Kind};

    triflow::component! {
        /// Points of a normal distribution in the plane.
        pub struct MySource: DataSource = "my_source" {
            /// Number of rows.
            #[range(min = 2)]
            pub samples: i64 = 200,
        }
    }

    struct Built {
        spec: MySource,
        seed: u64,
    }

    impl Spec<dyn DataSource> for MySource {
        fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
            Ok(Box::new(Built { spec: self.clone(), seed: ctx.seed }))
        }
    }

    impl DataSource for Built {
        fn load(&self) -> Result<Splits> {
            let _stream = seed_torch(self.seed, Purpose::Data, 0);
            let x = Tensor::randn([self.spec.samples, 2], (Kind::Float, Device::Cpu));
            Ok(Splits { train: Columns { x: Some(x), ..Columns::default() }, ..Splits::default() })
        }
    }

    #[test]
    fn conforms() {
        triflow::testing::conforms(MySource::default());
    }
}

mod metric {
    use triflow::prelude::*;

    triflow::component! {
        /// Difference of the 0.99 quantiles of the first column, generated and held out.
        pub struct TailError: Metric = "tail_error" {}
    }

    impl Spec<dyn Metric> for TailError {
        fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
            Ok(Box::new(self.clone()))
        }
    }

    /// The 0.99 quantile of the first column.
    fn quantile(points: Points<'_>) -> f64 {
        let mut first: Vec<f64> = points.values().chunks(points.dim()).map(|row| row[0]).collect();
        first.sort_by(f64::total_cmp);
        first[(first.len() - 1) * 99 / 100]
    }

    impl Metric for TailError {
        fn info(&self) -> Result<MetricInfo> {
            Ok(MetricInfo::of_samples("tail error", Better::Less))
        }

        fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
            let samples = input.samples()?;
            let real = samples.held_out.points();
            Ok(Some((quantile(samples.generated) - quantile(real)).abs()))
        }
    }

    #[test]
    fn conforms() {
        triflow::testing::conforms(TailError::default());
    }
}

mod program {
    use std::path::Path;
    use triflow::{Experiment, Result};
    use triflow_plugins::data_sources::TwoMoons;
    use triflow_plugins::objectives::FlowMatching;

    #[test]
    fn an_experiment_in_rust_values_is_that_of_the_file() {
        let built = || -> Result<Experiment> {
            let experiment = Experiment::builder()
                .objective(FlowMatching::default())
                .data(TwoMoons { noise: 0.05, ..TwoMoons::default() })
                .epochs(20)
                .with(|e| e.loss.reg_weight = 0.1) // any other key
                .build()?;
            Ok(experiment)
        };
        let written = "{ objective: flow_matching, data: { type: two_moons, noise: 0.05 }, \
                       training: { epochs: 20 }, loss: { reg_weight: 0.1 } }";
        let written = Experiment::from_yaml(written).unwrap();
        assert_eq!(built().unwrap().to_yaml().unwrap(), written.to_yaml().unwrap());
    }

    /// Compiled only: it needs a launcher.
    #[allow(dead_code, reason = "it is compiled")]
    fn in_a_group(experiment: Experiment, base: &Path, path: &Path) -> Result<()> {
        use triflow::{Group, Trainer, group};

        let group = Group::of_environment(group::TIMEOUT)?;
        let mut trainer = Trainer::in_group(&group, experiment, |e| Trainer::new(e, base))?;
        trainer.fit(&mut |_, _| Ok(triflow::train::Control::Continue))?;
        if group.is_first() {
            trainer.trained().save(path)?;
        }
        Ok(())
    }
}

/// The build script of a program.
#[allow(dead_code, reason = "it is compiled")]
mod build_script {
    fn main() {
        if let Ok(lib) = std::env::var("DEP_TRIFLOW_LIBTORCH_LIB") {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files with this ending in a folder, and below it.
fn files(folder: &Path, ending: &str, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                files(&path, ending, all);
            }
        } else if path.extension().is_some_and(|found| found == ending) {
            all.push(path);
        }
    }
}

/// The words of a text, without the line that makes a crate a plugin and the marks of documents.
fn words(text: &str) -> String {
    let lines = text.lines().filter(|line| {
        let line = line.trim();
        !line.starts_with("triflow::plugin!()") && !line.starts_with("// readme: ")
    });
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_rust_block_of_a_document_is_compiled() {
    let root = root();
    let mut sources =
        vec![root.join("tests/documented.rs"), root.join("cli/src/commands/new_crate.rs")];
    files(&root.join("examples"), "rs", &mut sources);
    let compiled: Vec<String> =
        sources.iter().map(|file| words(&std::fs::read_to_string(file).unwrap())).collect();
    let mut documents = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for folder in ["docs", "examples"] {
        files(&root.join(folder), "md", &mut documents);
    }
    let mut count = 0;
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for block in text.split("```rust\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let wanted = words(block);
            assert!(
                compiled.iter().any(|source| source.contains(&wanted)),
                "{}: this is not in tests/documented.rs:\n{block}",
                document.display()
            );
            count += 1;
        }
    }
    assert!(count >= 10, "only {count} blocks found");
}
