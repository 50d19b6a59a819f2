//! Whether a shared library is whole. Pure.
//!
//! The loader maps a library's segments without a look at the file's length, and touching what is beyond its end kills the
//! process (SIGBUS): a download that broke off must not do that.

/// The program header type of what is mapped (System V ABI, "Program Header").
const PT_LOAD: u32 = 1;

/// What is read of a file to judge it, in bytes. Linkers write the program headers right behind the ELF header.
pub(super) const HEAD: usize = 4096;

/// Whether a file that begins with `head` and is `length` bytes long holds every segment that it says it has. True for what is no
/// 64-bit little-endian ELF file: the loader refuses that in words of its own.
pub(super) fn is_whole(head: &[u8], length: u64) -> bool {
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return true;
    }
    segments_fit(head, length).unwrap_or(false)
}

/// `None` where the headers themselves are cut off. Offsets are those of `Elf64_Ehdr` and `Elf64_Phdr`.
fn segments_fit(head: &[u8], length: u64) -> Option<bool> {
    let table = usize::try_from(u64_at(head, 32)?).ok()?;
    let (size, count) = (usize::from(u16_at(head, 54)?), usize::from(u16_at(head, 56)?));
    for number in 0..count {
        let header = head.get(table.checked_add(number * size)?..)?;
        let kind = u32::from_le_bytes(*header.first_chunk()?);
        let (offset, in_file) = (u64_at(header, 8)?, u64_at(header, 32)?);
        if kind == PT_LOAD && offset.checked_add(in_file)? > length {
            return Some(false);
        }
    }
    Some(true)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_is_whole_and_its_beginning_alone_is_not() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let length = u64::try_from(program.len()).unwrap();
        let head = &program[..HEAD];
        assert!(is_whole(head, length));
        assert!(!is_whole(head, 4096), "its head alone");
        for cut in [6, 40, 63, 100] {
            assert!(!is_whole(&program[..cut], length), "{cut}");
        }
        assert!(is_whole(b"This is no library.", 19) && is_whole(b"", 0));
        let mut absurd = head.to_vec();
        absurd[32..40].fill(0xff);
        assert!(!is_whole(&absurd, length));
    }
}
