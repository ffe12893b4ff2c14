use crate::error::Result;
use crate::registry::{Parameter, Setting, Shape, Yaml, needs};
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// Path of a file or folder as a parameter of an experiment.
///
/// In an experiment file it is relative to that file's folder, in a flag to the current folder.
/// [`Layers`](super::Layers) make it absolute when they add it, at any key: they recognise it by
/// its [`Shape::Path`]. `~` is not expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath(pub PathBuf);

impl Deref for FilePath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl<P: Into<PathBuf>> From<P> for FilePath {
    fn from(path: P) -> Self {
        Self(path.into())
    }
}

impl Parameter for FilePath {
    fn shape() -> Shape {
        Shape::Path
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        match PathBuf::read(yaml)? {
            path if path.as_os_str().is_empty() => Err(needs("a path", yaml)),
            path => Ok(Self(path)),
        }
    }
}

impl Setting for FilePath {
    fn write(&self) -> Result<Yaml> {
        self.0.write()
    }
}
