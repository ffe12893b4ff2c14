//! Comparison of the start of training's paths with the start of sampling.

use crate::component::Pass;
use crate::data::Rows;
use crate::error::Result;
use crate::trained::Trained;
use tch::{Kind, Tensor};

/// Largest number of rows that are compared.
const ROWS: i64 = 4096;
/// KL from N(0, 1) of an entry of z at t = 0, in nats, above which samples are visibly shifted:
/// that of a mean of a tenth of the deviation.
const SMALL: f64 = 0.005;

/// KL of the distribution of z at t = 0 from N(0, I), in nats for each entry, each entry taken as
/// Gaussian. On the variance-preserving path, z holds some of the data there, but sampling starts
/// without it. `None` if the data are standardised, the encoder is learned, or z at t = 0 holds no
/// data.
pub(super) fn shift(trained: &Trained, train: &Rows) -> Result<Option<f64>> {
    let model = trained.model();
    let learned = trained.parameters().iter().any(|(name, _)| name.starts_with("encoder."));
    let standardised = trained.experiment().data.common().standardise;
    if standardised || learned || !model.path().bounded() || !model.gaussian() {
        return Ok(None);
    }
    tch::no_grad(|| {
        let target = train.first(ROWS)?.target;
        let z = model.encode(&target, Pass::EVAL)?.mean.to_kind(Kind::Double);
        let start = Tensor::zeros([1], (target.kind(), target.device()));
        let left = model.path().at(&start)?.alpha_bar().to_kind(Kind::Double);
        let z = z.reshape([z.size()[0], -1]);
        let square = z.mean_dim([0].as_slice(), false, Kind::Double).square() * &left;
        let variance = z.var_dim([0].as_slice(), false, false) * &left + (left.neg() + 1.0);
        let kl = (square + &variance - 1.0 - variance.log()) * 0.5;
        Ok(Some(kl.mean(Kind::Double).double_value(&[])))
    })
}

/// Warns if samples will be shifted.
pub(super) fn warn_of_shift(trained: &Trained, train: &Rows) -> Result<()> {
    if let Some(kl) = shift(trained, train)?.filter(|kl| *kl > SMALL) {
        log::warn!(
            "the data are not standardised, and the path still holds some of them at t = 0: \
             KL(z_0) from N(0, I) is {kl:.3} nats for each entry, so samples will be shifted; leave \
             `data.standardise` true, or choose a noise schedule that begins with less signal"
        );
    }
    Ok(())
}
