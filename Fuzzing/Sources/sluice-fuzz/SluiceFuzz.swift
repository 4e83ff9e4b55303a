import CLibFuzzer
import Foundation

/// `sluice-fuzz TARGET [libFuzzer's arguments]`.
@main
struct SluiceFuzz {
  static func main() {
    guard CommandLine.arguments.count > 1, let target = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
      let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
      FileHandle.standardError.write(Data("usage: sluice-fuzz TARGET [ARGUMENTS]; targets: \(names)\n".utf8))
      exit(2)
    }
    chosen = target.start()
    // The program's name, and everything behind the target.
    var arguments = [CommandLine.unsafeArgv[0]] + (2..<CommandLine.arguments.count).map { CommandLine.unsafeArgv[$0] }
    arguments.append(nil)
    exit(
      arguments.withUnsafeMutableBufferPointer { pointers in
        sluice_fuzz(Int32(pointers.count - 1), pointers.baseAddress, runChosen)
      })
  }
}

/// Set once before libFuzzer starts, which calls it on one thread.
nonisolated(unsafe) private var chosen: (UnsafeRawBufferPointer) -> Void = { _ in }

private func runChosen(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  chosen(UnsafeRawBufferPointer(start: bytes, count: count))
  return 0
}
