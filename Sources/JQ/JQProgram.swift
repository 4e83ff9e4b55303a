import CJQ
import Synchronization

/// A jq program, compiled, with bounds of time and memory.
///
/// libjq's state serves one thread at a time, so a program keeps the states that are not at work and makes further ones
/// when several requests need it at once. It is run on threads of its own (`JQThreads`): the caller never waits, a run
/// past its deadline is stopped between two instructions, and one that asks for too much memory fails alone. What
/// cannot be stopped is a single built-in function at work, such as a sort; the memory limit bounds what it works on.
public final class JQProgram: Sendable {
  /// The program's text.
  public let source: String
  private let idle: Mutex<[JQState]>

  /// Memory that one run may take, in bytes.
  public static let memoryLimit = 64 << 20
  /// Longest text of a result, in bytes.
  public static let resultLimit = 16 << 20
  /// States kept for the next runs.
  private static let keptStates = 8

  /// Compiles a program, or finds it among those in use: compiling costs tens of milliseconds.
  ///
  /// Blocks the calling thread; not for event loops.
  /// - Throws: `JQError.invalidProgram` with libjq's message.
  public static func compiled(_ source: String) throws(JQError) -> JQProgram {
    if let known = JQProgramCache.shared.program(source) { return known }
    let program = try JQProgram(source)
    JQProgramCache.shared.keep(program)
    return program
  }

  private init(_ source: String) throws(JQError) {
    self.source = source
    let result = JQThreads.shared.runAndWait { JQState.make(source) }
    guard let result else { throw JQError.invalidProgram("compiling the program takes too long") }
    idle = Mutex([try result.get()])
  }

  /// Runs the program over one JSON text up to its first result.
  ///
  /// - Parameters:
  ///   - input: makes the text; called on the thread that runs the program.
  ///   - milliseconds: time that the run may take, waiting for a thread included.
  ///   - completion: called once, on a thread of `JQThreads`, with the JSON text of the first result, nil if the
  ///     program ends without one. Not much later than the time that the run may take, even if it cannot be stopped.
  public func run(
    _ input: @escaping @Sendable () -> [UInt8], milliseconds: Int,
    _ completion: @escaping @Sendable (Result<[UInt8]?, JQError>) -> Void
  ) {
    JQThreads.shared.run(for: self, milliseconds: milliseconds, { deadline in self.run(input(), deadline) }, completion)
  }

  private func run(_ input: [UInt8], _ deadline: JQDeadline) -> Result<[UInt8]?, JQError> {
    guard input.count < Self.memoryLimit else { return .failure(.outOfMemory) }
    let state: JQState
    if let kept = idle.withLock({ $0.popLast() }) {
      state = kept
    } else {
      switch JQState.make(source) {
      case .success(let made): state = made
      case .failure(let error): return .failure(error)
      }
    }
    let result = state.run(input, deadline)
    if !state.isBroken { idle.withLock { if $0.count < Self.keptStates { $0.append(state) } } }
    if case .success(let bytes?) = result, bytes.count > Self.resultLimit { return .failure(.resultTooLarge) }
    return result
  }
}

/// Why a jq program gave no answer.
public enum JQError: Error, Sendable, Hashable, CustomStringConvertible {
  case invalidProgram(String)
  /// The program raised an error.
  case raised(String)
  case timeout
  case outOfMemory
  case resultTooLarge
  /// libjq gave up; its state is thrown away.
  case fault(String)

  public var description: String {
    switch self {
    case .invalidProgram(let message), .raised(let message), .fault(let message): message
    case .timeout: "the program took too long"
    case .resultTooLarge: "the result is larger than \(JQProgram.resultLimit >> 20) MiB"
    case .outOfMemory: "the program took more than \(JQProgram.memoryLimit >> 20) MiB of memory"
    }
  }
}

/// Programs that are in use, by their text, and the latest few beside.
private final class JQProgramCache: Sendable {
  static let shared = JQProgramCache()

  private struct Entry {
    weak var program: JQProgram?
  }

  private struct State {
    var programs: [String: Entry] = [:]
    /// Held so that a configuration that was just checked is not compiled again for its snapshot.
    var latest: [JQProgram] = []
  }

  private static let latestCount = 32
  private let state = Mutex(State())

  func program(_ source: String) -> JQProgram? { state.withLock { $0.programs[source]?.program } }

  func keep(_ program: JQProgram) {
    // What is dropped is freed outside the lock.
    let dropped = state.withLock { state in
      state.programs[program.source] = Entry(program: program)
      state.latest.append(program)
      if state.programs.count > 256 { state.programs = state.programs.filter { $0.value.program != nil } }
      return state.latest.count > Self.latestCount ? state.latest.removeFirst() : nil
    }
    _ = dropped
  }
}
