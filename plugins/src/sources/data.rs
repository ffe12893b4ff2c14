use triflow::prelude::*;
use triflow::tch::{Device, Kind};

triflow::component! {
    /// The empirical distribution of a data source: rows of x, drawn with replacement.
    ///
    /// It gives paths from one data set to another. All sets of the source are used. Their x are in
    /// the units of the model: neither `standardise` nor `split` applies to them.
    #[example = "type: data\ndata: { type: two_moons, samples: 2000 }\n"]
    pub struct Data: Source = "data" {
        /// Data source of the rows.
        pub data: Component<dyn DataSource> = Component::default_of("two_moons"),
    }
}

impl Spec<dyn Source> for Data {
    fn build(&self, ctx: &SourceContext) -> Result<Box<dyn Source>> {
        let context = DataContext::new(ctx.seed, "");
        let inner = |e: Error| e.under("data");
        let splits = self.data.build(&context).and_then(|data| data.load()).map_err(inner)?;
        let sets = [Some(splits.train), splits.val, splits.test];
        let x: Vec<Tensor> = sets.into_iter().flatten().filter_map(|table| table.x).collect();
        if x.is_empty() {
            return Err(Error::config("data", "yields no x to draw from"));
        }
        let rows = Tensor::cat(&x, 0);
        let rows = if rows.dim() == 1 { rows.unsqueeze(1) } else { rows };
        let shape = &rows.size()[1..];
        if *shape != *ctx.z_shape {
            let message = format!(
                "its x have shape {}, but a latent has shape {}",
                shape_text(shape),
                shape_text(&ctx.z_shape)
            );
            return Err(Error::config("data", message).help("take data whose rows fit"));
        }
        if rows.isfinite().all().int64_value(&[]) == 0 {
            return Err(Error::config("data", "holds values that are not finite"));
        }
        Ok(Box::new(Rows(rows)))
    }
}

struct Rows(Tensor);

impl Source for Rows {
    fn draw(
        &self,
        draws: &dyn Draws,
        shape: &[i64],
        (kind, device): (Kind, Device),
    ) -> Result<Tensor> {
        // The rows stay on the CPU, since there may be many; only those drawn move.
        let index = draws.integers(self.0.size()[0], &shape[..1], Device::Cpu)?;
        Ok(self.0.index_select(0, &index).to_kind(kind).to_device(device))
    }
}
