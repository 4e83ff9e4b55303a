import NIOCore
import PluginKit

/// Waits for the request's body in a phase of a plugin.
enum BodyReading {
  /// Calls `action` with the body, now or when it has come, and goes on with what it returns.
  ///
  /// If the body cannot be had the pipeline ends the request; the plugin then just returns.
  static func withBody(
    of context: RequestContext, _ action: @escaping (ByteBuffer) -> PhaseOutcome
  ) -> PhaseOutcome {
    if let bytes = context.requestBody.bytes { return action(bytes) }
    let wait = Wait()
    context.driver.readRequestBody(context) { result in
      let outcome: PhaseOutcome
      switch result {
      case .success: outcome = action(context.requestBody.bytes ?? ByteBuffer())
      case .failure: outcome = .finished
      }
      // An action may itself have to wait; it resumes later then.
      if wait.hasReturned {
        if case .suspended = outcome { return }
        context.resume(outcome)
      } else {
        wait.outcome = outcome
      }
    }
    wait.hasReturned = true
    return wait.outcome ?? .suspended
  }

  private final class Wait {
    var hasReturned = false
    var outcome: PhaseOutcome?
  }
}
