use super::Model;
use crate::component::{Condition, Pass};
use crate::config::{LossTerm, Reconstruction, Reduction};
use crate::error::Result;
use crate::kernels;
use crate::loss::{self, BatchRows, Terms};
use crate::path::{Reading, rows};
use crate::resolve::ScheduleUse;
use crate::rng::TorchDraws;
use crate::sequence;
use tch::{Kind, Tensor};

impl Model {
    /// Computes the loss terms of a batch with targets `[batch, …target_shape]`; with
    /// `everything`, terms of weight 0 too. Padding, by the mask of the pass, does not count.
    /// Random numbers come from LibTorch's generator.
    ///
    /// # Errors
    /// [`Error::Component`](crate::Error::Component): a part of the model fails.
    /// [`Error::Config`](crate::Error::Config): its result has the wrong shape.
    pub fn losses(
        &self,
        target: &Tensor,
        condition: Option<&Condition>,
        pass: Pass,
        everything: bool,
    ) -> Result<Terms> {
        let rows = BatchRows::whole(target.size()[0]);
        self.losses_from((None, rows), target, condition, pass, everything)
    }

    /// Computes [`losses`](Self::losses) of some rows of a batch, with a given z_0
    /// `[rows, …z_shape]`; `None` to draw it.
    pub(crate) fn losses_from(
        &self,
        (z0, rows): (Option<Tensor>, BatchRows),
        target: &Tensor,
        condition: Option<&Condition>,
        pass: Pass,
        everything: bool,
    ) -> Result<Terms> {
        let (config, reduction) = (&self.loss, self.loss.reduction);
        let (mask, latent_mask) = (pass.mask, self.latent_mask(pass.mask));
        let posterior = self.encode(target, pass)?;
        let data = posterior.sample();
        let noise = match z0 {
            Some(z0) => z0,
            None => self.source.draw(&TorchDraws, &data.size(), (data.kind(), data.device()))?,
        };
        let noise = sequence::keep(&noise, latent_mask);
        let (point, factor) = self.times.draw(rows, &self.path)?;
        let z = kernels::blend(&point.a, &data, &point.b, &noise);
        let reading = Reading::new(&*self.objective, &point)?;
        let output = self.output(&z, &reading, condition, pass)?;
        let weighted = |errors: Tensor, weight: Option<Tensor>| {
            let factors = [weight.as_ref(), factor.as_ref()].into_iter().flatten();
            factors.fold(errors, |errors, factor| errors * factor).mean(None)
        };
        let aim = reading.target(&data, &noise);
        let weight = self.weights.flow(&reading)?;
        let flow = if latent_mask.is_some() || output.dim() < 2 {
            let errors = loss::squared_error(&output, &aim, reduction, latent_mask);
            weighted(errors, weight)
        } else {
            let weight = match (weight, &factor) {
                (Some(weight), Some(factor)) => Some(weight * factor),
                (weight, factor) => weight.or(factor.as_ref().map(Tensor::shallow_clone)),
            };
            let mean = reduction == Reduction::Mean;
            kernels::squared_error(&output, &aim, weight.as_ref(), mean)
        };
        // The variational bound contains half of the weighted error.
        let bound = self.facts.schedule == ScheduleUse::Learned;
        let flow = if bound { flow * 0.5 } else { flow };
        let mut terms = Terms::new(flow);
        terms.add(LossTerm::Recon, config.recon_weight, everything, || {
            let decoded = self.decode(&reading.data(&z, &output), pass)?;
            let errors = self.reconstruction_error(&decoded, target, mask);
            Ok(weighted(errors, self.weights.data(&point)?))
        })?;
        terms.add(LossTerm::Reg, config.reg_weight, everything, || {
            let velocity = reading.derivative(&z, &output, crate::path::Clock::Time)?;
            let squares = loss::reduce(&velocity.square(), reduction, latent_mask);
            Ok(weighted(squares, self.weights.data(&point)?))
        })?;
        terms.add(LossTerm::Vae, config.vae_weight.unwrap_or(0.0), everything, || {
            self.vae(&data, target, pass)
        })?;
        if self.path.bounded() {
            terms.add(LossTerm::Kl, config.kl_weight, everything, || {
                let zero = Tensor::zeros([1], (self.vars.kind(), self.vars.device()));
                let alpha_bar = self.path.at(&zero)?.alpha_bar();
                Ok(loss::kl(&posterior, &alpha_bar, reduction, latent_mask).mean(None))
            })?;
        }
        Ok(terms)
    }

    fn reconstruction(&self) -> Reconstruction {
        self.loss.recon.unwrap_or(Reconstruction::Mse)
    }

    /// Reconstruction error of each row, `[batch]`.
    fn reconstruction_error(
        &self,
        decoded: &Tensor,
        target: &Tensor,
        mask: Option<&Tensor>,
    ) -> Tensor {
        let (kind, reduction) = (self.reconstruction(), self.loss.reduction);
        loss::reconstruction(kind, (decoded, target), &self.segments, reduction, mask)
    }

    /// Reconstruction error from z_1; for the variational bound, −ln p(target | z at t = 1).
    fn vae(&self, data: &Tensor, target: &Tensor, pass: Pass) -> Result<Tensor> {
        let reduction = self.loss.reduction;
        if !self.path.bounded() || self.loss.vae_noised != Some(true) {
            let decoded = self.decode(data, pass)?;
            return Ok(self.reconstruction_error(&decoded, target, pass.mask).mean(None));
        }
        let end = Tensor::ones([1], (self.vars.kind(), self.vars.device()));
        let gamma = self.path.at(&end)?.gamma();
        // z / a_1 = z_1 + ε·e^(−γ/2)
        let noised = data + data.randn_like() * rows(&(&gamma * -0.5).exp(), data);
        let noised = sequence::keep(&noised, self.latent_mask(pass.mask));
        let decoded = self.decode(&noised, pass)?;
        let errors = self.reconstruction_error(&decoded, target, pass.mask).mean(None);
        if self.reconstruction() != Reconstruction::Mse {
            return Ok(errors);
        }
        // A tensor, because reading a number would wait for the device.
        let half_entries = match reduction {
            Reduction::Mean => Tensor::from(0.5),
            Reduction::Sum => {
                let half = 0.5 * (target.numel() as i64 / target.size()[0]) as f64;
                pass.mask.map_or_else(|| Tensor::from(half), |mask| mask.mean(Kind::Double) * half)
            }
        };
        let log_scale = (gamma.neg() + (2.0 * std::f64::consts::PI).ln()) * half_entries;
        Ok((errors * gamma.exp() * 0.5 + log_scale).mean(None))
    }
}
