//! Padding of plaintexts, so that their lengths say little.

const LEAST: usize = 512;

/// The length to pad `length` bytes to: at least 512, otherwise Padmé, which adds at most 12 %.
pub(crate) fn padded_length(length: usize) -> usize {
    if length <= LEAST {
        return LEAST;
    }
    let exponent = length.ilog2();
    let mask = (1_usize << (exponent - exponent.ilog2() - 1)) - 1;
    (length + mask) & !mask
}

/// Pads JSON with blanks, which parsers skip.
pub(crate) fn pad(mut json: Vec<u8>) -> Vec<u8> {
    json.resize(padded_length(json.len()), b' ');
    json
}
