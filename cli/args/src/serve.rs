use crate::number::whole;
use clap::Args;

/// Address and limits of a server.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Port; 0 is any that is free.
    #[arg(long, value_name = "N", default_value_t = 8080, value_parser = whole::<u16>(0..=65_535))]
    pub port: u16,
    /// Name or address of this machine to listen on; 0.0.0.0 is every one.
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// Largest number of rows of a request.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = whole::<i64>(1..))]
    pub max_rows: i64,
    /// Largest size of a body in MiB, 1 to 4096.
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = whole::<usize>(1..=4096))]
    pub max_body: usize,
    /// Largest number of rows that are drawn at once for several requests; 1: each request alone.
    #[arg(long, value_name = "ROWS", default_value_t = 1024, value_parser = whole::<i64>(1..))]
    pub batch: i64,
    /// Largest number of requests that wait; further ones are refused.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = whole::<usize>(1..=100_000))]
    pub queue: usize,
    /// Largest time from a request to its answer, in seconds.
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = whole::<u64>(1..=86_400))]
    pub timeout: u64,
}
