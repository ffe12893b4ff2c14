//! The `triflow` command, a thin layer over the library: arguments, progress, tables and exit
//! codes, but no mathematics.

mod args;
mod commands;
mod group;
mod interrupt;
mod out;
mod progress;

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
            match group::rank() {
                0 => eprintln!("{mark}{e}"),
                // Whoever failed first says why, and rank 0 what was interrupted.
                _ if stopped || group::group().follows() => log::debug!("{mark}{e}"),
                rank => eprintln!("[rank {rank}] {mark}{e}"),
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
    log.format_timestamp(None).format_target(false);
    if rank > 0 {
        log.format(move |out, record| {
            use std::io::Write as _;
            writeln!(out, "[{} rank {rank}] {}", record.level(), record.args())
        });
    }
    log.init();
}
