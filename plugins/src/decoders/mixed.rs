use crate::layers::{MAX_FEATURES, flatten};
use crate::tables::{Group, Layout};
use triflow::prelude::*;

triflow::component! {
    /// Rows of a table from latents of the encoder `mixed`: numbers as they are, and a linear
    /// softmax head for each category, from its own embedding.
    #[reference = "Mueller et al. 2023, Continuous Diffusion for Mixed-Type Tabular Data, arXiv:2312.10431"]
    pub struct Mixed: Decoder = "mixed" {
        /// Number of features of each embedding, as the encoder has it; null: for one of K
        /// categories ⌈log₂ K⌉ + 1, at most 16.
        #[range(min = 1, max = MAX_FEATURES)]
        pub dim: Option<i64> = None,
    }
}

impl Spec<dyn Decoder> for Mixed {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Decoder>> {
        let layout = Layout::new(ctx, self.dim, "decoder `mixed`")?;
        let (own, given) = ([layout.width], ctx.latent()?);
        if *given != own {
            let message = format!(
                "decoder `mixed` needs latents of shape {}, and the encoder gives {}",
                shape_text(&own),
                shape_text(given)
            );
            return Err(
                Error::config("", message).help("choose the encoder `mixed` with the same `dim`")
            );
        }
        let head = |(i, group): (usize, &Group)| {
            // A variance of 1 of the logits, for embeddings of length √dim.
            let bound = (3.0 / group.dim as f64).sqrt();
            let uniform = nn::Init::Uniform { lo: -bound, up: bound };
            let shape = |inputs: i64| [group.len(), inputs, group.size];
            Head {
                weight: ctx.vars.var(&format!("weight_{i}"), &shape(group.dim), uniform),
                bias: ctx.vars.zeros(&format!("bias_{i}"), &shape(1)),
            }
        };
        Ok(Box::new(MixedDecoder {
            place: layout.place(ctx.vars.device()),
            heads: layout.groups.iter().enumerate().map(head).collect(),
            layout,
        }))
    }
}

/// Heads of a group.
struct Head {
    /// `[categories, dim, size]`.
    weight: Tensor,
    /// `[categories, 1, size]`.
    bias: Tensor,
}

struct MixedDecoder {
    layout: Layout,
    place: Tensor,
    heads: Vec<Head>,
}

impl Decoder for MixedDecoder {
    fn decode(&self, z: &Tensor, _: Pass) -> Result<Tensor> {
        let z = flatten(z);
        let mut parts = vec![z.narrow(1, 0, self.layout.values)];
        for (group, head) in self.layout.groups.iter().zip(&self.heads) {
            let logits = head.bias.baddbmm(&group.embedded(&z), &head.weight, 1, 1);
            parts.push(Group::joined(&logits));
        }
        Ok(Tensor::cat(&parts, 1).index_select(1, &self.place))
    }

    fn likelihood(&self) -> Result<Likelihood> {
        Ok(Likelihood::Blocks)
    }

    fn encoder(&self) -> Result<Option<String>> {
        Ok(Some("mixed".to_owned()))
    }
}
