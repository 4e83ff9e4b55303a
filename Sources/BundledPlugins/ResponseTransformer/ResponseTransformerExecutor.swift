import EntityModel
import Logging
import NIOCore
import PluginKit
import Zlib

/// Changes headers in header_filter, and collects a body that is to be changed in body_filter.
///
/// Source: Kong fact, bundled-16 §10 and §11.
final class ResponseTransformerExecutor: PluginExecutor {
  let phases: PhaseSet
  private let transformation: ResponseTransformation
  private let pluginName: String
  private let logger: Logger

  /// A body beyond this many bytes passes unchanged.
  private static let largestBody = 256 << 20

  /// The body of one response while it comes.
  private final class Collection {
    var body = ByteBuffer()
    var isWanted: Bool

    init(isWanted: Bool) { self.isWanted = isWanted }
  }

  init(_ transformation: ResponseTransformation, pluginName: String, logger: Logger) {
    self.transformation = transformation
    self.pluginName = pluginName
    self.logger = logger
    var phases: [Phase] = []
    if transformation.changesHeaders || transformation.changesBody { phases.append(.headerFilter) }
    if transformation.changesBody { phases.append(.bodyFilter) }
    self.phases = PhaseSet(phases)
  }

  func prepare(on loop: LoopServices) throws(PluginCompileError) { try transformation.functions?.prepare(on: loop) }

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    switch phase {
    case .headerFilter: filterHeaders(context)
    case .bodyFilter: filterBody(context)
    default: break
    }
    return .finished
  }

  private func filterHeaders(_ context: RequestContext) {
    let status = context.response.status
    let isJSON = MediaKind.isJSON(context.response.headers.first("content-type"))
    if transformation.changesHeaders { transformation.transform(&context.response.headers, status: status) }
    if transformation.changesBody(status: status, isJSON: isJSON) { context.response.headers.remove("Content-Length") }
  }

  private func filterBody(_ context: RequestContext) {
    let collection: Collection
    if let known = context.pluginStates[self, as: Collection.self] {
      collection = known
    } else {
      let isJSON = MediaKind.isJSON(context.response.headers.first("content-type"))
      collection = Collection(
        isWanted: transformation.changesBody(status: context.response.status, isJSON: isJSON))
      context.pluginStates[self, as: Collection.self] = collection
    }
    guard collection.isWanted else { return }
    if var chunk = context.response.chunk { collection.body.writeBuffer(&chunk) }
    if collection.body.readableBytes > Self.largestBody {
      logger.warning("plugin '\(pluginName)': the body is too large to be transformed and passes unchanged")
      collection.isWanted = false
      context.response.chunk = collection.body
      collection.body = ByteBuffer()
      return
    }
    guard context.response.isLastChunk else {
      context.response.chunk = nil
      return
    }
    context.response.chunk = transformed(collection.body, context)
    collection.body = ByteBuffer()
  }

  private func transformed(_ body: ByteBuffer, _ context: RequestContext) -> ByteBuffer {
    let status = context.response.status
    let isCompressed = transformation.opensGzip && Self.isGzip(context.response.headers)
    var plain = body
    let replacement = transformation.replace.statuses.contains(status) ? transformation.replacedBody : nil
    if let replacement {
      plain = replacement
    } else if isCompressed {
      do throws(GzipError) {
        plain = ByteBuffer(bytes: try Gzip.inflate(Array(body.readableBytesView), limit: Self.largestBody))
      } catch {
        logger.warning("plugin '\(pluginName)': body transform failed: \(error)")
        return body
      }
    }
    guard let result = transformedJSON(plain, status: status, context) ?? replacement else { return body }
    guard isCompressed else { return result }
    do throws(GzipError) {
      return ByteBuffer(bytes: try Gzip.compress(Array(result.readableBytesView)))
    } catch {
      logger.error("plugin '\(pluginName)': body transform failed: \(error)")
      return body
    }
  }

  /// Nil if nothing is to be changed, or cannot be.
  private func transformedJSON(_ body: ByteBuffer, status: Int, _ context: RequestContext) -> ByteBuffer? {
    guard transformation.changesJSON, MediaKind.isJSON(context.response.headers.first("content-type")) else {
      return nil
    }
    do {
      let document = try JSONValue(parsing: body.readableBytesView)
      switch document {
      case .object, .array: break
      default: if transformation.functions == nil { return nil }
      }
      return ByteBuffer(bytes: try transformation.transform(document, status: status, context).serialized())
    } catch let error as PluginScriptError {
      logger.error("plugin '\(pluginName)': body transform failed: \(error)")
      return nil
    } catch {
      logger.warning("plugin '\(pluginName)': body transform failed: failed parsing json body")
      return nil
    }
  }

  private static func isGzip(_ headers: HeaderBlock) -> Bool {
    guard let coding = headers.first("content-encoding") else { return false }
    return coding.lowercased().filter { $0 != " " } == "gzip"
  }
}
