//! Data sources: where x and y come from.

mod checkerboard;
mod cifar10;
mod csv;
mod eight_gaussians;
mod files;
mod image_folder;
mod images;
mod mnist;
mod npz;
mod pinwheel;
mod plane;
mod safetensors;
mod swiss_roll;
mod two_moons;

pub use checkerboard::Checkerboard;
pub use cifar10::Cifar10;
pub use csv::{Column, Csv, Header};
pub use eight_gaussians::EightGaussians;
pub use image_folder::ImageFolder;
pub use mnist::Mnist;
pub use npz::Npz;
pub use pinwheel::Pinwheel;
pub use safetensors::Safetensors;
pub use swiss_roll::SwissRoll;
pub use two_moons::{NoiseLaw, TwoMoons};
