use crate::layers::MAX_FEATURES;
use crate::tables::{Group, Layout};
use triflow::prelude::*;
use triflow::tch::{Device, Kind};

triflow::component! {
    /// Rows of a table with a learned embedding of each category; numbers stay as they are.
    ///
    /// The latent holds the numbers, and for each category the mean of its embeddings, weighted by
    /// the entries of the row: the embedding of the category where they are one-hot, of all by
    /// their probabilities where they are probabilities. An embedding of d features has length √d,
    /// so that it cannot shrink to make the noise easier to remove (CDTD); it is relative to the
    /// mean of all of the column, so that they cannot all move to one point. Its decoder is `mixed`
    /// with the same `dim`.
    ///
    /// `loss.recon_weight` above 0 trains the embeddings to be told apart in noise as well, which
    /// `sampling.projection: recode` needs.
    #[reference = "Mueller et al. 2023, Continuous Diffusion for Mixed-Type Tabular Data, arXiv:2312.10431"]
    pub struct Mixed: Encoder = "mixed" {
        /// Number of features of each embedding; null: for one of K categories ⌈log₂ K⌉ + 1, at
        /// most 16.
        #[range(min = 1, max = MAX_FEATURES)]
        pub dim: Option<i64> = None,
    }
}

impl Spec<dyn Encoder> for Mixed {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Encoder>> {
        let layout = Layout::new(ctx, self.dim, "encoder `mixed`")?;
        let own = [layout.width];
        if let Some(given) = &ctx.latent_shape
            && *given != own
            && *given != ctx.target_shape
        {
            let message = format!(
                "encoder `mixed` gives latents of shape {}, but latent_shape is {}",
                shape_text(&own),
                shape_text(given)
            );
            return Err(Error::config("latent_shape", message)
                .help("leave latent_shape out; `dim` sets the size of embeddings"));
        }
        let options = (ctx.vars.kind(), ctx.vars.device());
        let table = |(i, group): (usize, &Group)| Embeddings {
            weight: ctx.vars.var_copy(&format!("embedding_{i}"), &spread_out(group, options.0)),
            centring: (group.size > 1).then(|| group.mean(options)),
            mask: group.mask(options),
        };
        Ok(Box::new(MixedEncoder {
            spread: layout.spread(options.1),
            embeddings: layout.groups.iter().enumerate().map(table).collect(),
            layout,
        }))
    }
}

/// Embeddings of a group.
struct Embeddings {
    /// `[categories, size, dim]`, of any length.
    weight: Tensor,
    /// Weights of the mean of the embeddings of each category, `[categories, 1, size]`; `None` for
    /// categories of one entry, which are their own mean.
    centring: Option<Tensor>,
    /// See [`Group::mask`].
    mask: Option<Tensor>,
}

struct MixedEncoder {
    layout: Layout,
    spread: Tensor,
    embeddings: Vec<Embeddings>,
}

impl Embeddings {
    /// The embeddings relative to their mean, each of length √dim, and 0 for padding.
    fn scaled(&self) -> Tensor {
        let weight = match &self.centring {
            Some(mean) => &self.weight - mean.matmul(&self.weight),
            None => self.weight.shallow_clone(),
        };
        let squares = weight.square().mean_dim([-1].as_slice(), true, self.weight.kind());
        let scaled = &weight * squares.rsqrt();
        match &self.mask {
            Some(mask) => scaled * mask,
            None => scaled,
        }
    }
}

impl Encoder for MixedEncoder {
    fn latent_shape(&self) -> Result<Vec<i64>> {
        Ok(vec![self.layout.width])
    }

    fn encode(&self, target: &Tensor, _: Pass) -> Result<Posterior> {
        let spread = target.index_select(1, &self.spread);
        let mut parts = vec![spread.narrow(1, 0, self.layout.values)];
        for (group, embeddings) in self.layout.groups.iter().zip(&self.embeddings) {
            parts.push(Group::joined(&group.entries(&spread).bmm(&embeddings.scaled())));
        }
        Ok(Posterior { mean: Tensor::cat(&parts, 1), log_variance: None })
    }

    fn origins(&self) -> Result<Option<Vec<i64>>> {
        Ok(Some(self.layout.origins()))
    }

    fn decoder(&self) -> Result<Option<String>> {
        Ok(Some("mixed".to_owned()))
    }
}

/// First embeddings of a group, `[categories, size, dim]`: the directions ±e of random orthonormal
/// bases, so that no two of the first 2·dim are near each other.
fn spread_out(group: &Group, kind: Kind) -> Tensor {
    let (len, size, dim) = (group.len(), group.size, group.dim);
    let bases = (size + 2 * dim - 1) / (2 * dim);
    let random = Tensor::randn([len, bases, dim, dim], (kind, Device::Cpu));
    let (basis, _) = Tensor::linalg_qr(&random, "reduced");
    let both = Tensor::stack(&[&basis, &basis.neg()], 3);
    both.reshape([len, bases * 2 * dim, dim]).narrow(1, 0, size).contiguous()
}
