//! From the vectors of a text's tokens to the vector of the text. Pure.

use crate::config::Pooling;

/// The vector of a text, of its tokens' vectors: rows of `dimension` numbers, at least one, padding not among them.
pub(super) fn pool(pooling: Pooling, rows: &[f32], dimension: usize) -> Vec<f32> {
    match pooling {
        Pooling::Mean => mean(rows, dimension),
        Pooling::Cls | Pooling::Model => rows[..dimension].to_vec(),
        Pooling::LastToken => rows[rows.len() - dimension..].to_vec(),
    }
}

fn mean(rows: &[f32], dimension: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; dimension];
    for row in rows.chunks_exact(dimension) {
        for (total, value) in sum.iter_mut().zip(row) {
            *total += value;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a text has some thousand tokens at most")]
    let count = (rows.len() / dimension) as f32;
    for total in &mut sum {
        *total /= count;
    }
    sum
}

/// Scales a vector to length 1. The floor is the one sentence-transformers has, for a vector of zeros. The sum of squares is taken
/// where none of them is too large.
pub(super) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt().max(1e-12);
    for value in vector {
        #[expect(clippy::cast_possible_truncation, reason = "it is at most 1")]
        let scaled = (f64::from(*value) / length) as f32;
        *value = scaled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pooling_takes_what_its_name_says() {
        let rows = [1.0, 0.0, 5.0, 8.0, 6.0, 1.0];
        for (pooling, expected) in [
            (Pooling::Mean, [4.0, 3.0]),
            (Pooling::Cls, [1.0, 0.0]),
            (Pooling::LastToken, [6.0, 1.0]),
            (Pooling::Model, [1.0, 0.0]),
        ] {
            assert_eq!(pool(pooling, &rows, 2), expected, "{pooling:?}");
        }
    }

    #[test]
    fn a_vector_has_length_one_afterwards_and_zeros_stay_numbers() {
        let mut vector = vec![3.0, 4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        let mut huge = [3e30_f32, 4e30];
        normalise(&mut huge);
        assert!((huge[0] - 0.6).abs() < 1e-6 && (huge[1] - 0.8).abs() < 1e-6, "{huge:?}");
        let mut zeros = [0.0_f32; 2];
        normalise(&mut zeros);
        assert!(zeros.iter().all(|value| value.is_finite()));
    }
}
