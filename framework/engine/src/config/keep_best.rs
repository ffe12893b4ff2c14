use super::LossTerm;
use crate::component::check_metric_name;
use crate::error::Result;
use crate::registry::{Parameter, Setting, Shape, Yaml, needs};

/// A value of an epoch by which its weights are better than those of others: a loss term, or a
/// metric by its name in `metrics.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeepBest {
    /// A loss term, of which less is better.
    Loss(LossTerm),
    /// A metric of samples or predictions, in the direction in which it is better.
    Metric(String),
}

impl Setting for KeepBest {
    fn write(&self) -> Result<Yaml> {
        Ok(match self {
            KeepBest::Loss(term) => term.name().into(),
            KeepBest::Metric(name) => name.as_str().into(),
        })
    }
}

impl Parameter for KeepBest {
    fn shape() -> Shape {
        Shape::Other { name: "loss term or metric", schema: r#"{ "type": "string" }"# }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let needed = || needs("a loss term, such as `total`, or the name of a metric", yaml);
        let name = yaml.as_str().ok_or_else(needed)?;
        if let Some(term) = LossTerm::ALL.into_iter().find(|term| term.name() == name) {
            return Ok(KeepBest::Loss(term));
        }
        check_metric_name(name).map_err(|_| needed())?;
        Ok(KeepBest::Metric(name.to_owned()))
    }
}
