//! The whole state of training as one safetensors file, so that resuming equals never having stopped.

use super::History;
use crate::error::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use tch::{Kind, Tensor};

/// Everything that training remembers between two steps.
#[derive(Debug)]
pub struct State {
    /// Steps taken.
    pub step: u64,
    /// Flat tensors by name: parameters, running mean, moments, and the loss sums of the epoch so far.
    pub tensors: Vec<(String, Tensor)>,
    /// The loss terms of the epochs so far.
    pub history: History,
}

/// Writes named tensors and metadata; whole or not at all.
pub fn write_tensors(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: HashMap<String, String>,
) -> Result<()> {
    let bytes = tensors
        .iter()
        .map(|(name, tensor)| {
            let (kind, dtype) = match tensor.kind() {
                Kind::Double => (Kind::Double, Dtype::F64),
                Kind::Int64 => (Kind::Int64, Dtype::I64),
                _ => (Kind::Float, Dtype::F32),
            };
            let tensor = tensor.detach().to_device(tch::Device::Cpu).to_kind(kind).contiguous();
            let mut data = vec![0u8; tensor.numel() * kind.elt_size_in_bytes()];
            tensor.f_copy_data_u8(&mut data, tensor.numel())?;
            let shape = tensor.size().iter().map(|s| *s as usize).collect::<Vec<_>>();
            Ok((name.as_str(), dtype, shape, data))
        })
        .collect::<Result<Vec<_>>>()?;
    let views = bytes
        .iter()
        .map(|(name, dtype, shape, data)| {
            TensorView::new(*dtype, shape.clone(), data)
                .map(|v| (*name, v))
                .map_err(|e| Error::runtime(e.to_string()))
        })
        .collect::<Result<Vec<_>>>()?;
    let text =
        safetensors::serialize(views, Some(metadata)).map_err(|e| Error::runtime(e.to_string()))?;
    write_whole(path, &text)
}

/// Reads what [`write_tensors`] wrote.
pub fn read_tensors(path: &Path) -> Result<(HashMap<String, Tensor>, HashMap<String, String>)> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let bad =
        |e: safetensors::SafeTensorError| Error::data(path, format!("not a safetensors file: {e}"));
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(bad)?;
    let file = SafeTensors::deserialize(&bytes).map_err(bad)?;
    let mut tensors = HashMap::new();
    for (name, view) in file.tensors() {
        let kind = match view.dtype() {
            Dtype::F64 => Kind::Double,
            Dtype::F32 => Kind::Float,
            Dtype::I64 => Kind::Int64,
            other => {
                return Err(Error::data(
                    path,
                    format!("`{name}` has type {other:?}; expected F32, F64 or I64"),
                ));
            }
        };
        let shape: Vec<i64> = view.shape().iter().map(|s| *s as i64).collect();
        tensors.insert(name, Tensor::f_from_data_size(view.data(), &shape, kind)?);
    }
    Ok((tensors, header.metadata().clone().unwrap_or_default()))
}

/// Writes a file whole or not at all: temporary file, fsync, rename.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(Error::io("write", path))
}

impl State {
    /// Saves it, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        let history =
            serde_json::to_string(&self.history).map_err(|e| Error::runtime(e.to_string()))?;
        let metadata = HashMap::from([
            ("step".to_owned(), self.step.to_string()),
            ("history".to_owned(), history),
        ]);
        write_tensors(path, &self.tensors, metadata)
    }

    /// Loads it.
    pub fn load(path: &Path) -> Result<Self> {
        let (tensors, metadata) = read_tensors(path)?;
        let missing = |what: &str| Error::data(path, format!("not a checkpoint: it has no {what}"));
        let step =
            metadata.get("step").and_then(|s| s.parse().ok()).ok_or_else(|| missing("step"))?;
        let history = metadata
            .get("history")
            .and_then(|h| serde_json::from_str(h).ok())
            .ok_or_else(|| missing("history"))?;
        Ok(Self { step, tensors: tensors.into_iter().collect(), history })
    }
}
