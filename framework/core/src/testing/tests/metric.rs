use super::Fault;
use crate::prelude::*;

triflow::component! {
    /// Distance between the means of generated and held-out points, unless it has a fault.
    pub struct Twin: Metric = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

impl Spec<dyn Metric> for Twin {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(self.clone()))
    }
}

fn mean(points: Points<'_>) -> Vec<f64> {
    let column = |j| points.rows().map(|row: &[f64]| row[j]).sum::<f64>() / points.len() as f64;
    (0..points.dim()).map(column).collect()
}

impl Metric for Twin {
    fn info(&self) -> Result<MetricInfo> {
        let title = self.fault.choose("described", "", "distance of means");
        let better = self.fault.choose("direction", Better::More, Better::Less);
        let info = MetricInfo::of_samples(title, better);
        Ok(match () {
            () if self.fault.is("apart") => {
                MetricInfo { needs: vec![Need::Samples, Need::Draws], ..info }
            }
            () => info,
        })
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let at = input.samples()?;
        let (made, real) = (at.generated, at.held_out.points());
        let first = mean(if self.fault.is("row_order") { made.first(1) } else { made });
        let squares = first.iter().zip(mean(real)).map(|(a, b)| (a - b).powi(2));
        let distance = squares.sum::<f64>().sqrt();
        Ok(Some(match () {
            () if self.fault.is("needs") => distance / input.train()?.len() as f64,
            () if self.fault.is("finite") && made.len() == 1 => f64::NAN,
            () if self.fault.is("pure") => distance + self.fault.drift(),
            () => distance,
        }))
    }
}
