//! Features of generated and real rows by a network in a TorchScript file.

use std::borrow::Cow;
use triflow::config::FilePath;
use triflow::error::first_line;
use triflow::prelude::*;
use triflow::registry::{Parameter, Setting, Shape, Yaml, needs};
use triflow::tch::{CModule, Device, IValue, Kind};

triflow::parameters! {
    /// A network whose outputs are compared in place of the rows. It gets float32 rows in the
    /// data's own units, images as `[n, channels, height, width]` with values from 0 to 1.
    pub struct Features {
        /// TorchScript file of the network, from `torch.jit.script` or `torch.jit.trace`. It runs
        /// in evaluation mode.
        pub file: FilePath,
        /// The output to take: the name of a method of the network, otherwise the key of a dict or
        /// the index of a tuple that `forward` returns; null: the tensor that `forward` returns.
        /// Outputs `[n, features, …]` are averaged over the axes behind the second.
        pub layer: Option<Layer> = None,
        /// Height and width to which images are resized, with bilinear interpolation; null: they
        /// keep their size.
        #[range(min = 1)]
        pub resize: Option<i64> = None,
        /// Number of channels of the network's images, for which those of one channel are repeated;
        /// null: they keep their channels.
        #[range(min = 1)]
        pub channels: Option<i64> = None,
        /// The values that 0 and 1 of the data become, such as `[-1, 1]`.
        pub range: [f64; 2] = [0.0, 1.0],
        /// Number of rows that pass the network at once.
        #[range(min = 1)]
        pub batch: i64 = 64,
    }
}

/// An output of a network: the index in a tuple, or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Index in a tuple, from 0.
    Index(usize),
    /// Name of a method, or key of a dict.
    Name(String),
}

impl Parameter for Layer {
    fn shape() -> Shape {
        Shape::Other {
            name: "output",
            schema: r#"{ "type": ["integer", "string"], "minimum": 0 }"#,
        }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let index = || usize::try_from(yaml.as_u64()?).ok().map(Self::Index);
        let name = || yaml.as_str().map(|name| Self::Name(name.to_owned()));
        let needed = "the name of an output, or its index, counted from 0";
        name().or_else(index).ok_or_else(|| needs(needed, yaml))
    }
}

impl Setting for Layer {
    fn write(&self) -> Result<Yaml> {
        match self {
            Self::Index(index) => index.write(),
            Self::Name(name) => name.write(),
        }
    }
}

/// A loaded network.
#[derive(Debug)]
pub(super) struct Network {
    module: CModule,
    features: Features,
    device: Device,
}

impl Network {
    /// Loads the network of a file, and tries it on a row where the shape is known.
    ///
    /// # Errors
    /// [`Error::Config`] below `features`: there is no such file, it is not TorchScript, a number
    /// is out of range, or the network does not take the rows.
    pub(super) fn load(features: &Features, ctx: &MetricContext) -> Result<Self> {
        let at = |key: &str| format!("features.{key}");
        let file = features.file.display();
        if !features.file.is_file() {
            return Err(Error::config(at("file"), format!("there is no file {file}")));
        }
        let module = CModule::load_on_device(&*features.file, ctx.device).map_err(|e| {
            triflow::log::debug!("{e}");
            Error::config(at("file"), format!("{file} is not TorchScript"))
                .help("save it with `torch.jit.script(network).save(FILE)`, or `torch.jit.trace`")
        })?;
        let mut network = Self { module, features: features.clone(), device: ctx.device };
        network.module.f_set_eval()?;
        if let Some(shape) = &ctx.shape {
            let one = Tensor::zeros([&[1], &shape[..]].concat(), (Kind::Double, Device::Cpu));
            let _ = triflow::tch::no_grad(|| network.forward(&one))?;
        }
        Ok(network)
    }

    /// Features `[n, d]` of points, in float64 on the CPU.
    pub(super) fn features(&self, input: &MetricInput<'_>, points: Points<'_>) -> Result<Tensor> {
        let own_units = input.samples()?.own_units;
        let entries = points.dim();
        let mut all = Vec::new();
        for rows in points.values().chunks(entries * self.features.batch as usize) {
            let rows = match own_units {
                None => Cow::Borrowed(rows),
                Some(OwnUnits { mean, deviation }) => {
                    let own =
                        |(i, v): (usize, &f64)| v * deviation[i % entries] + mean[i % entries];
                    rows.iter().enumerate().map(own).collect()
                }
            };
            let n = (rows.len() / entries) as i64;
            let rows = Tensor::from_slice(&rows).view([&[n], input.shape].concat().as_slice());
            all.push(self.forward(&rows)?);
        }
        Ok(Tensor::cat(&all, 0))
    }

    /// Features of rows `[n, …shape]` in the data's own units.
    fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        let n = rows.size()[0];
        let rows = self.prepared(rows)?;
        let output = self.output(&rows)?;
        let size = output.size();
        if size.len() < 2 || size[0] != n {
            let message =
                format!("gives {} for {n} rows, expected [{n}, features]", shape_text(&size));
            return Err(Error::config("features", message));
        }
        let flat = output.to_kind(Kind::Double).to_device(Device::Cpu).flatten(1, -1);
        match size.len() {
            2 => Ok(flat),
            _ => Ok(flat.view([n, size[1], -1]).mean_dim([2].as_slice(), false, Kind::Double)),
        }
    }

    /// Rows in the range, size and channels of the network.
    fn prepared(&self, rows: &Tensor) -> Result<Tensor> {
        let Features { resize, channels, range: [low, high], .. } = self.features;
        let rows = rows.to_kind(Kind::Float).to_device(self.device);
        let mut rows = rows * (high - low) + low;
        if rows.dim() != 4 && (resize.is_some() || channels.is_some()) {
            let key = if resize.is_some() { "features.resize" } else { "features.channels" };
            let shape = shape_text(&rows.size()[1..]);
            let message =
                format!("is for images [channels, height, width], but a row has the shape {shape}");
            return Err(Error::config(key, message));
        }
        if let Some(size) = resize {
            rows = rows.upsample_bilinear2d([size, size], false, None, None);
        }
        match channels {
            Some(wanted) if rows.size()[1] == 1 => Ok(rows.repeat([1, wanted, 1, 1])),
            Some(wanted) if rows.size()[1] != wanted => {
                let message = format!("needs {}, the channels of the images, or 1", rows.size()[1]);
                Err(Error::config("features.channels", message))
            }
            _ => Ok(rows),
        }
    }

    /// The chosen output of the network for prepared rows.
    fn output(&self, rows: &Tensor) -> Result<Tensor> {
        let input = [IValue::Tensor(rows.shallow_clone())];
        let failed = |e: triflow::tch::TchError| {
            let shape = shape_text(&rows.size());
            let why = first_line(&e.to_string());
            Error::config("features", format!("the network does not take rows {shape}: {why}"))
        };
        if let Some(Layer::Name(name)) = &self.features.layer {
            match self.module.method_is(name, &input) {
                Err(e) if e.to_string().contains("is not defined") => {}
                found => return tensor(found.map_err(failed)?),
            }
        }
        chosen(self.features.layer.as_ref(), self.module.forward_is(&input).map_err(failed)?)
    }
}

/// The tensor of `layer` in the output of `forward`.
fn chosen(layer: Option<&Layer>, output: IValue) -> Result<Tensor> {
    let wrong = |message: String| Error::config("features.layer", message);
    let at = |i: usize, n: usize| match i < n {
        true => Ok(i),
        false => Err(wrong(format!("needs an index below {n}, the number of outputs"))),
    };
    match (layer, output) {
        (None, output) => tensor(output),
        (Some(Layer::Index(i)), IValue::Tuple(mut all) | IValue::GenericList(mut all)) => {
            let i = at(*i, all.len())?;
            tensor(all.swap_remove(i))
        }
        (Some(Layer::Index(i)), IValue::TensorList(mut all)) => {
            let i = at(*i, all.len())?;
            Ok(all.swap_remove(i))
        }
        (Some(Layer::Name(name)), IValue::GenericDict(all)) => {
            let mut known = Vec::new();
            for (key, value) in all {
                match key {
                    IValue::String(key) if key == *name => return tensor(value),
                    IValue::String(key) => known.push(key),
                    _ => {}
                }
            }
            let known = known.join(", ");
            Err(wrong(format!("there is no output `{name}`; `forward` gives {known}")))
        }
        (Some(Layer::Name(name)), _) => {
            let message =
                format!("the network has no method `{name}`, and `forward` returns no dict");
            Err(wrong(message))
        }
        (Some(Layer::Index(_)), _) => {
            Err(wrong("is an index, but `forward` returns no tuple".to_owned()))
        }
    }
}

/// The tensor of an output.
fn tensor(output: IValue) -> Result<Tensor> {
    let outputs = match output {
        IValue::Tensor(found) => return Ok(found),
        IValue::Tuple(all) => format!("a tuple of {}", all.len()),
        IValue::GenericDict(_) => "a dict".to_owned(),
        IValue::TensorList(_) | IValue::GenericList(_) => "a list".to_owned(),
        _ => "no tensor".to_owned(),
    };
    Err(Error::config(
        "features.layer",
        format!("the network returns {outputs}, expected a tensor"),
    )
    .help("name the index or the key of one of its outputs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64) -> IValue {
        IValue::Tensor(Tensor::from(value))
    }

    #[test]
    fn an_output_is_chosen_by_its_index_or_its_key() {
        let name = |name: &str| Layer::Name(name.to_owned());
        let tuple = || IValue::Tuple(vec![number(1.0), number(2.0)]);
        let list = || IValue::TensorList(vec![Tensor::from(1.0), Tensor::from(2.0)]);
        let key = |key: &str, value| (IValue::String(key.to_owned()), number(value));
        let dict = || IValue::GenericDict(vec![key("logits", 1.0), key("pool", 2.0)]);
        let found =
            |layer: Layer, output| chosen(Some(&layer), output).map(|t| t.double_value(&[]));
        assert_eq!(found(Layer::Index(1), tuple()).unwrap(), 2.0);
        assert_eq!(found(Layer::Index(0), list()).unwrap(), 1.0);
        assert_eq!(found(name("pool"), dict()).unwrap(), 2.0);
        for (layer, output, message) in [
            (Layer::Index(2), tuple(), "needs an index below 2"),
            (Layer::Index(2), list(), "needs an index below 2"),
            (Layer::Index(0), number(1.0), "`forward` returns no tuple"),
            (name("fool"), dict(), "no output `fool`; `forward` gives logits, pool"),
            (name("pool"), tuple(), "no method `pool`, and `forward` returns no dict"),
        ] {
            let error = found(layer, output).unwrap_err().to_string();
            assert!(error.contains(message) && error.contains("features.layer"), "{error}");
        }
        let error = chosen(None, tuple()).unwrap_err().to_string();
        assert!(error.contains("returns a tuple of 2, expected a tensor"), "{error}");
    }
}
