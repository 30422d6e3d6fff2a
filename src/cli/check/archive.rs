//! The smallest valid layer: a tar archive (POSIX ustar) of one file in gzip's format (RFC 1952) with stored blocks
//! (RFC 1951, section 3.2.4). It needs no compressor and is the same everywhere.

/// Tar's block size in bytes.
const BLOCK: usize = 512;

/// A tar archive of one regular file. The name has at most 100 bytes. `text` is cut to what one gzip block holds.
pub(crate) fn tar(name: &str, text: &[u8]) -> Vec<u8> {
    let text = text.get(..usize::from(u16::MAX) / 2).unwrap_or(text);
    let mut archive = header(name, text.len());
    archive.extend_from_slice(text);
    // Padding to the end of the block, and two empty blocks.
    let whole = archive.len().div_ceil(BLOCK) * BLOCK;
    archive.resize(whole + 2 * BLOCK, 0);
    archive
}

fn header(name: &str, size: usize) -> Vec<u8> {
    let mut fields = Vec::with_capacity(BLOCK);
    let mut field = |text: &str, width: usize| {
        let end = fields.len() + width;
        fields.extend(text.bytes().take(width));
        fields.resize(end, 0);
    };
    field(name, 100);
    for (text, width) in [("0000644", 8), ("0000000", 8), ("0000000", 8)] {
        field(text, width);
    }
    field(&format!("{size:011o}"), 12);
    field("00000000000", 12);
    // The checksum is computed with blanks in its place.
    field("        ", 8);
    field("0", 1);
    field("", 100);
    field("ustar", 6);
    field("00", 2);
    field("", BLOCK - 265);
    let sum: u32 = fields.iter().map(|byte| u32::from(*byte)).sum();
    let checksum = format!("{sum:06o}\0 ");
    fields.iter_mut().skip(148).zip(checksum.bytes()).for_each(|(place, byte)| *place = byte);
    fields
}

/// The bytes in gzip's format. Bytes beyond one stored block are cut off.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.get(..usize::from(u16::MAX)).unwrap_or(bytes);
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    // No name, no time, an unknown system; then the only block.
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend_from_slice(bytes);
    file.extend(crc32(bytes).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}

/// The checksum of RFC 1952, section 8, bit by bit, because the input is small.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_everybody_has() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn an_archive_is_whole_blocks_with_a_sum_over_its_header() {
        let archive = tar("a.txt", b"text");
        assert_eq!(archive.len(), 4 * BLOCK);
        let (header, rest) = archive.split_at(BLOCK);
        assert_eq!((&rest[..4], rest[4]), (&b"text"[..], 0));
        let said = u32::from_str_radix(std::str::from_utf8(&header[148..154]).unwrap(), 8).unwrap();
        let seen = |(at, byte): (usize, &u8)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) };
        let sum: u32 = header.iter().enumerate().map(seen).sum();
        assert_eq!(said, sum);
        assert_eq!(&header[257..265], b"ustar\x0000");
        assert_eq!(gzip(&archive).len(), archive.len() + 23);
    }
}
