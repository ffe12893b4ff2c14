use super::Scatter;
use super::stats::{thinned, usable};
use super::style::fixed;

/// A projection of points to the plane that pictures show: their own coordinates up to two
/// dimensions, their first two principal components of more.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    mean: Vec<f64>,
    axes: Option<[Vec<f64>; 2]>,
    /// Labels of the horizontal and the vertical axis.
    pub labels: [String; 2],
}

impl Plane {
    /// The plane of the points `reference`; `name` is the letter of coordinates that have no name.
    pub fn of(reference: &Scatter, name: &str) -> Self {
        let d = reference.dim;
        if d <= 2 {
            return Plane {
                mean: vec![0.0; d],
                axes: None,
                labels: [0, 1].map(|j| reference.name(j, name)),
            };
        }
        let rows: Vec<&[f64]> = thinned(reference.len(), 4000)
            .into_iter()
            .map(|i| reference.row(i))
            .filter(|row| row.iter().all(|v| usable(*v)))
            .collect();
        let n = rows.len().max(1) as f64;
        let mut centre = vec![0.0; d];
        for row in &rows {
            centre.iter_mut().zip(*row).for_each(|(m, v)| *m += v / n);
        }
        let spread_along = |axes: &[Vec<f64>; 2]| -> [Vec<f64>; 2] {
            let mut out = [vec![0.0; d], vec![0.0; d]];
            for row in &rows {
                for (axis, sum) in axes.iter().zip(out.iter_mut()) {
                    let along: f64 =
                        row.iter().zip(&centre).zip(axis).map(|((v, m), a)| (v - m) * a).sum();
                    sum.iter_mut()
                        .zip(*row)
                        .zip(&centre)
                        .for_each(|((s, v), m)| *s += along * (v - m) / n);
                }
            }
            out
        };
        let total: f64 =
            rows.iter().flat_map(|r| r.iter().zip(&centre)).map(|(v, m)| (v - m).powi(2) / n).sum();
        // Orthogonal iteration from a fixed start.
        let mut axes =
            [0.7, 1.9].map(|f| (0..d).map(|i| (f * (i as f64 + 1.0)).sin()).collect::<Vec<f64>>());
        orthonormalise(&mut axes);
        for _ in 0..60 {
            axes = spread_along(&axes);
            orthonormalise(&mut axes);
        }
        let spread = spread_along(&axes);
        let share = |i: usize| {
            let along: f64 = spread[i].iter().zip(&axes[i]).map(|(s, a)| s * a).sum();
            if total > 0.0 { 100.0 * along / total } else { 0.0 }
        };
        let labels = [0, 1].map(|i| {
            format!("principal component {} ({} % of variance)", i + 1, fixed(share(i), 0))
        });
        Plane { mean: centre, axes: Some(axes), labels }
    }

    /// Projects points to the plane.
    pub fn flatten(&self, points: &Scatter) -> Vec<(f64, f64)> {
        (0..points.len()).map(|i| self.place(points.row(i))).collect()
    }

    fn place(&self, row: &[f64]) -> (f64, f64) {
        match &self.axes {
            None => {
                (row.first().copied().unwrap_or(f64::NAN), row.get(1).copied().unwrap_or(f64::NAN))
            }
            Some(axes) => {
                let along = |axis: &[f64]| {
                    row.iter().zip(&self.mean).zip(axis).map(|((v, m), a)| (v - m) * a).sum()
                };
                (along(&axes[0]), along(&axes[1]))
            }
        }
    }
}

fn orthonormalise(axes: &mut [Vec<f64>; 2]) {
    let [first, second] = axes;
    normalise(first);
    let along: f64 = first.iter().zip(second.iter()).map(|(a, b)| a * b).sum();
    second.iter_mut().zip(first.iter()).for_each(|(b, a)| *b -= along * a);
    normalise(second);
    // The sign of an axis is arbitrary: its largest component is made positive.
    for axis in [first, second] {
        let largest =
            axis.iter().copied().fold(0.0, |m: f64, v| if v.abs() > m.abs() { v } else { m });
        if largest < 0.0 {
            axis.iter_mut().for_each(|v| *v = -*v);
        }
    }
}

fn normalise(axis: &mut [f64]) {
    let norm = axis.iter().map(|v| v * v).sum::<f64>().sqrt();
    if norm > 1e-300 {
        axis.iter_mut().for_each(|v| *v /= norm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principal_components_find_the_long_directions() {
        let values: Vec<f64> = (0..200)
            .flat_map(|i| {
                let (a, b) = ((f64::from(i) * 0.37).sin() * 5.0, (f64::from(i) * 1.71).sin() * 2.0);
                [a, 0.01 * b, a, b]
            })
            .collect();
        let plane = Plane::of(&Scatter::new(values, 4), "x");
        let axes = plane.axes.unwrap();
        assert!(
            (axes[0][0] - 0.5f64.sqrt()).abs() < 0.02 && (axes[1][3] - 1.0).abs() < 0.02,
            "{axes:?}"
        );
        assert!(plane.labels[0].contains("% of variance"));
    }
}
