//! `curve`: quality against network evaluations.

use crate::args::CurveArgs;
use crate::terminal::say;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use triflow::component::Solver;
use triflow::curve::{self, CurvePoint};
use triflow::io::write_atomically;
use triflow::measure;
use triflow::plot::{self, QualityCurve, QualityView};
use triflow::request;
use triflow::run::Run;
use triflow::{Component, Error, Result};

/// Quality of one run at several numbers of network evaluations.
#[derive(Debug)]
struct Measured {
    run: String,
    name: String,
    metric: String,
    set: String,
    n: i64,
    points: Vec<CurvePoint>,
}

/// Measures runs and draws their curves, called by their folders.
pub fn draw(runs: &[impl AsRef<Path>], options: &CurveArgs, out: &Path) -> Result<()> {
    let name = |run: &Path| -> String {
        let from = run.components().count().saturating_sub(2);
        run.components().skip(from).collect::<std::path::PathBuf>().display().to_string()
    };
    let named: Vec<_> = runs.iter().map(|run| (name(run.as_ref()), run.as_ref())).collect();
    draw_named(&named, options, out, true)
}

/// Measures runs and draws their curves under given names. The values are written beside the plot,
/// as JSON.
fn draw_named(runs: &[(String, &Path)], options: &CurveArgs, out: &Path, say: bool) -> Result<()> {
    crate::out::check(out, &["png"])?;
    let solvers = options.solver.iter().map(|name| Component::<dyn Solver>::named(name));
    let wanted = curve::Options {
        solvers: solvers.collect::<Result<_>>()?,
        metric: None,
        evaluations: options.nfe.iter().map(|n| *n as usize).collect(),
        draws: options.draws,
        seed: options.seed,
    };
    let mut all = Vec::new();
    for (name, run) in runs {
        all.push(measure(name.clone(), run, &wanted, (options, say))?);
    }
    if let Some(other) = all.iter().find(|m| m.metric != all[0].metric) {
        let message = format!(
            "{} is measured by {}, {} by {}",
            all[0].name, all[0].metric, other.name, other.metric
        );
        return Err(Error::config("--run", message).help("draw one curve for each"));
    }
    let json = json!(all.iter().map(|m| json!({
        "run": m.run, "name": m.name, "metric": m.metric, "set": m.set, "n": m.n, "draws": options.draws, "points": m.points,
    })).collect::<Vec<_>>());
    let text = serde_json::to_string_pretty(&json).map_err(|e| Error::runtime(e.to_string()))?;
    write_atomically(&out.with_extension("json"), |file| writeln!(file, "{text}"))?;
    let mut curves = Vec::new();
    for measured in &all {
        for solver in &wanted.solvers {
            let own = measured.points.iter().filter(|p| p.solver == solver.name());
            curves.push(QualityCurve {
                name: match all.len() {
                    1 => solver.name().to_owned(),
                    _ => format!("{}, {}", measured.name, solver.name()),
                },
                points: own.map(|p| (p.nfe as f64, p.value)).collect(),
            });
        }
    }
    curves.retain(|c| !c.points.is_empty());
    let first = &all[0];
    plot::quality(
        out,
        &QualityView {
            title: "Quality against network evaluations".into(),
            subtitle: format!(
                "{} of {} {} rows, mean of {} draw{}",
                first.metric,
                first.n,
                first.set,
                options.draws,
                if options.draws == 1 { "" } else { "s" }
            ),
            metric: first.metric.clone(),
            curves,
            floor: None,
        },
    )?;
    if say {
        say!("{} and {}", out.display(), out.with_extension("json").display());
    }
    Ok(())
}

fn measure(
    name: String,
    path: &Path,
    options: &curve::Options,
    (own, say): (&CurveArgs, bool),
) -> Result<Measured> {
    let (grid, data_path) = (own.grid.clone(), own.data_path.clone());
    let grid = grid.map(Into::into);
    let sampling = request::Options { grid, data_path, ..request::Options::default() };
    let (run, mut model) = request::load(path, &sampling)?;
    let _threads = model.threads();
    let data = run.data(&model)?;
    let held = data.held_out(own.points)?;
    let metric = curve::metric(&model)?;
    if say {
        say!("{name}: {metric} on {} {} rows", held.rows.len(), held.name);
        say!("  {:16} {:>6} {:>6}  {metric}", "solver", "steps", "nfe");
    }
    let found = curve::measure(&mut model, &held, options, &mut |p| {
        let deviation = p.deviation.map_or_else(String::new, |d| format!(" ± {d:.4}"));
        if say {
            say!("  {:16} {:6} {:6}  {:.4}{deviation}", p.solver, p.steps, p.nfe, p.value);
        }
    })?;
    Ok(Measured {
        run: path.display().to_string(),
        name,
        metric,
        set: held.name.clone(),
        n: held.rows.len(),
        points: found,
    })
}

/// Draws the default curve of `runs` into the folder of `run`.
pub fn beside(runs: &[(String, &Path)], run: &Run, say: bool) -> Result<()> {
    let options = CurveArgs {
        solver: vec!["euler".into(), "midpoint".into()],
        nfe: vec![1, 2, 4, 8, 16, 32, 64],
        grid: None,
        draws: 3,
        points: measure::EXACT_POINTS,
        seed: None,
        data_path: None,
    };
    draw_named(runs, &options, &run.file("quality_by_evaluations.png"), say)
}
