import EntityModel
import Patterns
import PluginKit

/// `bot-detection`: refuses clients that call themselves crawlers.
enum BotDetection {
  static let definition = PluginDefinition.bundled(schema, phases: [.access], Implementation())

  static let schema = PluginSchema(
    "bot-detection", protocols: PluginFields.protocolsHTTP,
    without: [PluginScope.consumer, PluginScope.consumerGroup],
    config: PluginFields.config([
      "allow": expressions("Regular expressions of user agents that may pass, whatever else they match."),
      "deny": expressions("Regular expressions of further user agents that may not pass."),
    ]))

  private static func expressions(_ description: String) -> FieldSchema {
    FieldSchema.array(of: .string.checked(by: .isRegex)).defaulting(to: []).described(description)
  }

  /// User agents that are refused unless they are allowed.
  ///
  /// Kong compatibility: Kong has a list of its own.
  static let crawlers =
    #"(?i)([a-z]bot\b|\bbot\b|crawl(er|ing)|spider|slurp|facebookexternalhit|mediapartners|archiver)"#

  struct Implementation: PluginImplementation {
    func makeExecutor(for instance: PluginInstance) throws(PluginCompileError) -> any PluginExecutor {
      func patterns(_ sources: [String]) throws(PluginCompileError) -> [RE2Pattern] {
        var patterns: [RE2Pattern] = []
        for source in sources {
          do throws(PatternError) {
            patterns.append(try RE2Pattern(source))
          } catch {
            throw PluginCompileError(plugin: instance.pluginName, reason: error.description)
          }
        }
        return patterns
      }
      return BotDetectionExecutor(
        allowed: try patterns(instance.config.strings("allow")),
        denied: try patterns(instance.config.strings("deny") + [BotDetection.crawlers]))
    }
  }
}

struct BotDetectionExecutor: PluginExecutor {
  let phases = PhaseSet(.access)
  let allowed: [RE2Pattern]
  let denied: [RE2Pattern]

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    guard let index = context.requestHeaders.firstIndex(of: "user-agent") else { return .finished }
    if context.requestHeaders.firstIndex(of: "user-agent", from: index + 1) != nil {
      context.refuse(400, "Bad Request")
      return .finished
    }
    let isRefused = context.requestHeaders.withValue(at: index) { agent in
      !allowed.contains { $0.matches(agent) } && denied.contains { $0.matches(agent) }
    }
    if isRefused { context.refuse(403, "Forbidden") }
    return .finished
  }
}
