//! `serve`: samples and predictions of a run over HTTP.

use super::sampling::options;
use crate::args::{SamplingArgs, ServeArgs};
use crate::interrupt;
use std::path::Path;
use std::time::Duration;
use triflow::{Result, request};
use triflow_server::{Limits, listen, serve};

/// Serves a run until Ctrl-C or the termination signal, after which it answers what has arrived.
pub fn run(run: &Path, serving: &ServeArgs, sampling: &SamplingArgs) -> Result<()> {
    let (run, model) = request::load(run, &options(sampling))?;
    let _threads = model.threads();
    let listener = listen(&serving.host, serving.port)?;
    let limits = Limits {
        body: serving.max_body << 20,
        rows: serving.max_rows,
        batch: serving.batch,
        queue: serving.queue,
        time: Duration::from_secs(serving.timeout),
    };
    interrupt::heed(true);
    let shown = run.path.display().to_string();
    let done = serve(
        (run, model),
        listener,
        (limits, sampling.seed),
        |address| {
            use std::io::Write as _;
            let mut out = std::io::stdout();
            // Nobody may read it.
            let _ = writeln!(out, "serving {shown} at http://{address}");
            let _ = out.flush();
            log::info!("Ctrl-C ends it");
        },
        &interrupt::stopped,
    );
    interrupt::served();
    done
}
