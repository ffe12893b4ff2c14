//! Data sources: rows of x and y, read from files or drawn.

mod arrays;
mod checkerboard;
mod cifar10;
mod damped_oscillators;
mod eight_gaussians;
mod files;
mod halves;
mod image_folder;
mod images;
mod lorenz;
mod mnist;
mod npz;
mod padding;
mod pinwheel;
mod plane;
mod safetensors;
mod sequences;
mod swiss_roll;
mod table;
mod tiff;
mod two_moons;
mod webp;
mod words;

pub use checkerboard::Checkerboard;
pub use cifar10::Cifar10;
pub use damped_oscillators::DampedOscillators;
pub use eight_gaussians::EightGaussians;
pub use image_folder::ImageFolder;
pub use lorenz::Lorenz;
pub use mnist::Mnist;
pub use npz::Npz;
pub use pinwheel::Pinwheel;
pub use safetensors::Safetensors;
pub use sequences::Sequences;
pub use swiss_roll::SwissRoll;
pub use table::{
    Column, ColumnList, ColumnOptions, ColumnScaling, ColumnType, Csv, DecimalSign, Header,
    MissingValue, Separator, Table,
};
pub use two_moons::{NoiseDistribution, TwoMoons};
