use crate::error::Result;
use crate::registry::{Parameter, Setting, Shape, Yaml};

/// Keys of the data source, each with its value in YAML, for the files that are read beside an
/// experiment's own data and may be written in another way, such as `("encoding", "latin1")`. They
/// do not belong to the content of an experiment: all are equal.
#[derive(Clone, Debug, Default)]
pub struct FurtherFiles(pub Vec<(String, String)>);

impl PartialEq for FurtherFiles {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Nothing in YAML.
impl Parameter for FurtherFiles {
    fn shape() -> Shape {
        Shape::ANY
    }

    fn read(_: &Yaml) -> Result<Self> {
        Ok(Self::default())
    }
}

impl Setting for FurtherFiles {
    fn write(&self) -> Result<Yaml> {
        Ok(Yaml::Null)
    }
}
