#if canImport(Glibc)
  import Glibc
#endif

/// Memory that the process does not use any more but has kept for itself.
enum FreedMemory {
  /// Gives whole free pages back to the system.
  ///
  /// Reading a large configuration takes several times the memory that it needs afterwards, and the allocator would keep
  /// it. Walks over the heap: milliseconds for ten thousand routes, hence not after each small change.
  static func giveBack() {
    #if canImport(Glibc)
      // Looked up, because Swift's module of glibc does not have malloc.h, and other allocators have no such call.
      typealias MallocTrim = @convention(c) (_ pad: Int) -> CInt
      guard let function = dlsym(nil, "malloc_trim") else { return }
      _ = unsafeBitCast(function, to: MallocTrim.self)(0)
    #endif
  }
}
