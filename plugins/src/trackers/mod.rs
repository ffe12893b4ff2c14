//! Records of runs beside the run folder.

mod client;
mod mlflow;
mod tensorboard;

pub use mlflow::Mlflow;
pub use tensorboard::TensorBoard;
