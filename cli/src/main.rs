//! The `triflow` command, a thin layer over the library: progress, tables and exit codes, but no
//! mathematics. `launcher.rs` starts it, and `triflow_args` has its arguments.

mod catalogue;
mod commands;
mod experiment;
mod group;
mod interrupt;
mod out;
mod progress;
mod terminal;

use triflow_args as args;

fn main() {
    // A closed pipe (`| head`) ends the command quietly.
    sigpipe::reset();
    triflow_plugins::link();
    triflow::memory::keep_freed();
    let cli = args::Cli::of(std::env::args_os()).unwrap_or_else(|e| e.exit());
    start_log(&cli);
    interrupt::listen();
    // Panics become errors; their own text is for debugging.
    std::panic::set_hook(Box::new(|info| log::debug!("{info}")));
    let code = match triflow::registry::guard_engine(|| commands::run(&cli)) {
        Ok(()) => 0,
        Err(e) => {
            // A run that was stopped on purpose has not failed.
            use triflow::Error::{Interrupted, Stopped};
            let stopped = matches!(e, Interrupted { .. } | Stopped { .. });
            let mark = if stopped { "" } else { "error: " };
            let told = terminal::message(&e.to_string());
            match group::rank() {
                0 => eprintln!("{mark}{told}"),
                // Whoever failed first says why, and rank 0 what was interrupted.
                _ if stopped || group::group().follows() => log::debug!("{mark}{told}"),
                rank => eprintln!("[rank {rank}] {mark}{told}"),
            }
            e.exit_code()
        }
    };
    group::leave();
    std::process::exit(code);
}

fn start_log(cli: &args::Cli) {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => "error",
        (false, 0) => "info",
        (false, 1) => "debug",
        (false, _) => "trace",
    };
    let rank = group::rank();
    // Rank 0 speaks for all.
    let level = if rank > 0 && level == "info" { "warn" } else { level };
    let env = env_logger::Env::default().default_filter_or(format!("warn,triflow={level}"));
    let mut log = env_logger::Builder::from_env(env);
    log.format(move |out, record| {
        use std::io::Write as _;
        let (level, text) = (record.level(), terminal::message(&record.args().to_string()));
        let style = out.default_level_style(level);
        match rank {
            0 => writeln!(out, "[{style}{level:<5}{style:#}] {text}"),
            rank => writeln!(out, "[{level} rank {rank}] {text}"),
        }
    });
    log.init();
}
