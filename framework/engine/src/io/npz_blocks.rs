//! An `.npz` whose arrays are made while they are written, block by block, so that memory holds a
//! block and not the arrays. The bytes are those of [`npz::write_npz`](super::npz::write_npz).

use std::any::Any;
use std::io::{self, Seek, Write};
use std::path::Path;

use npyz::npz::NpzWriter;
use npyz::{AutoSerialize, NpyWriter, WriteOptions, WriterBuilder};

use super::array::{match_values, with_values};
use super::atomic::write_made;
use super::first_failure::FirstFailure;
use super::npz_entry::Entry;
use super::texts::write_texts;
use super::{ArrayData, NamedArray};
use crate::{Error, Result};

/// Takes the blocks of an array in their order: rows of one type and shape.
pub type Blocks<'b> = dyn FnMut(&NamedArray) -> Result<()> + 'b;

/// An archive that is being written.
pub struct Archive<'f> {
    writer: NpzWriter<&'f mut dyn File>,
    path: &'f Path,
}

trait File: Write + Seek {}

impl<T: Write + Seek> File for T {}

/// Writes an `.npz` to which `fill` adds arrays, whole or not at all.
///
/// # Errors
/// Those of `fill`. [`Error::Io`]: the file cannot be written.
pub fn write_npz_blocks(
    path: &Path,
    fill: impl FnOnce(&mut Archive<'_>) -> Result<()>,
) -> Result<()> {
    write_made(path, |file| {
        let mut file = FirstFailure::new(file);
        let mut archive = Archive { writer: NpzWriter::new(&mut file), path };
        let done = fill(&mut archive).and_then(|()| {
            let ended = archive.writer.zip_writer().finish().map(|_| ());
            ended.map_err(|e| Error::io("write", path)(e.into()))
        });
        drop(archive);
        file.ended(Ok(())).map_err(Error::io("write", path))?;
        done
    })
}

impl Archive<'_> {
    /// Adds an array of `rows` rows, which `make` passes on block by block.
    ///
    /// # Errors
    /// Those of `make`. [`Error::Io`]: the file cannot be written, or there is another number of
    /// rows.
    pub fn array(
        &mut self,
        name: &str,
        rows: usize,
        make: impl FnOnce(&mut Blocks<'_>) -> Result<()>,
    ) -> Result<()> {
        let path = self.path;
        let (mut unopened, mut opened) = (Some(&mut self.writer), None);
        make(&mut |block| {
            let written = || -> io::Result<()> {
                if let Some(archive) = unopened.take() {
                    let shape: Vec<u64> = std::iter::once(rows)
                        .chain(block.shape.iter().skip(1).copied())
                        .map(|n| n as u64)
                        .collect();
                    let entry =
                        with_values!(&block.data, values => open(values, archive, name, &shape));
                    opened = Some(entry?);
                }
                opened.as_mut().map_or(Ok(()), |entry| entry.push(&block.data))
            };
            let mut written = written;
            written().map_err(Error::io("write", path))
        })?;
        match opened {
            Some(entry) => entry.finish().map_err(Error::io("write", path)),
            None => Err(Error::runtime(format!("array `{name}` has no block"))),
        }
    }

    /// Adds lists of texts under their names.
    ///
    /// # Errors
    /// [`Error::Io`]: the file cannot be written.
    pub fn texts(&mut self, all: &[(&str, Vec<String>)]) -> Result<()> {
        let mut write = |(name, texts): &(&str, Vec<String>)| {
            write_texts(&mut self.writer, name, texts).map_err(Error::io("write", self.path))
        };
        all.iter().try_for_each(&mut write)
    }
}

/// An array that is being written.
trait Opened {
    fn push(&mut self, values: &ArrayData) -> io::Result<()>;
    fn finish(self: Box<Self>) -> io::Result<()>;
}

impl<T: AutoSerialize + Copy + 'static, W: Write> Opened for (NpyWriter<T, Entry<W>>, Entry<W>) {
    fn push(&mut self, values: &ArrayData) -> io::Result<()> {
        let own = with_values!(values, all => (all as &dyn Any).downcast_ref::<Vec<T>>());
        let own = own.ok_or_else(|| io::Error::other("the blocks of an array have two types"))?;
        self.0.extend(own.iter().copied())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let (writer, mut entry) = *self;
        writer.finish()?;
        entry.flush()
    }
}

fn open<'a, T: AutoSerialize + Copy + 'static>(
    _: &[T],
    archive: &'a mut NpzWriter<&mut dyn File>,
    name: &str,
    shape: &[u64],
) -> io::Result<Box<dyn Opened + 'a>> {
    let size = shape.iter().product::<u64>().saturating_mul(size_of::<T>() as u64);
    let entry = Entry::begin(archive, name, size)?;
    let options = WriteOptions::<T>::new().default_dtype().shape(shape);
    Ok(Box::new((options.writer(entry.clone()).begin_nd()?, entry)))
}

#[cfg(test)]
mod tests {
    use super::super::npz::write_npz_with;
    use super::*;

    #[test]
    fn blocks_make_the_bytes_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (whole, blocks) = (folder.path().join("a.npz"), folder.path().join("b.npz"));
        let values: Vec<f32> = (0..70_000).map(|i| (i as f32).sin()).collect();
        let numbers: Vec<i64> = (0..35_000).collect();
        let texts = [("classes", vec!["a".to_owned(), "größe".to_owned()])];
        let x = NamedArray::new("x", vec![35_000, 2], values.clone()).unwrap();
        let y = NamedArray::new("y", vec![35_000], numbers.clone()).unwrap();
        write_npz_with(&whole, &[x, y], &texts).unwrap();
        write_npz_blocks(&blocks, |archive| {
            archive.array("x", 35_000, |each| {
                values.chunks(2 * 999).try_for_each(|some| {
                    each(&NamedArray::new("x", vec![some.len() / 2, 2], some.to_vec())?)
                })
            })?;
            archive.array("y", 35_000, |each| {
                let mut some = numbers.chunks(16_384);
                some.try_for_each(|s| each(&NamedArray::new("y", vec![s.len()], s.to_vec())?))
            })?;
            archive.texts(&texts)
        })
        .unwrap();
        assert!(std::fs::read(whole).unwrap() == std::fs::read(blocks).unwrap());
    }

    #[test]
    fn an_error_leaves_no_file_and_is_told_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let block = |n: usize| NamedArray::new("x", vec![n], vec![0_i64; n]).unwrap();
        let told = |fill: &dyn Fn(&mut Archive<'_>) -> Result<()>| {
            write_npz_blocks(&path, fill).unwrap_err().to_string()
        };
        let stopped = |each: &mut Blocks<'_>| {
            each(&block(3))?;
            Err(Error::runtime("no more"))
        };
        assert_eq!(told(&|archive| archive.array("x", 5, stopped)), "no more");
        let few = told(&|archive| archive.array("x", 5, |each| each(&block(3))));
        assert!(few.contains("cannot write"), "{few}");
        assert!(told(&|archive| archive.array("x", 0, |_| Ok(()))).contains("no block"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
