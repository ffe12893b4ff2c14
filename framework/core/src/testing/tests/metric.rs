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

impl Twin {
    /// True for faults of a metric of tables.
    fn of_tables(&self) -> bool {
        self.fault.is("first_row_of_a_table") || self.fault.is("missing_cells")
    }

    /// Distance between the means of the first column without gaps, unless it has a fault.
    fn measure_table(&self, table: Tables<'_>) -> f64 {
        let mean = |rows: TableRows<'_>| {
            let most = self.fault.choose("first_row_of_a_table", 1, rows.len());
            let gappy = rows.columns.iter().position(|column| column.missing);
            let column = self.fault.choose("missing_cells", gappy.unwrap_or(0), 0);
            rows.column(column).take(most).sum::<f64>() / most as f64
        };
        (mean(table.generated) - mean(table.held_out)).abs()
    }
}

impl Metric for Twin {
    fn info(&self) -> Result<MetricInfo> {
        let title = self.fault.choose("described", "", "distance of means");
        let better = self.fault.choose("direction", Better::More, Better::Less);
        let info = MetricInfo::of_samples(title, better);
        Ok(match () {
            () if self.of_tables() => MetricInfo::of_tables(title, better),
            () if self.fault.is("apart") => {
                MetricInfo { needs: vec![Need::Samples, Need::Draws], ..info }
            }
            () => info,
        })
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        if self.of_tables() {
            return Ok(Some(self.measure_table(input.table()?)));
        }
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
