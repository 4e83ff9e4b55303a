import Dispatch
import EntityModel
import Foundation
import Logging
import NIOCore

/// The state of a control plane: what it publishes and to whom. Confined to one event loop.
final class ControlPlaneCore {
  let configuration: ControlPlaneConfiguration
  let directory: any DataPlaneDirectory
  let eventLoop: any EventLoop
  private(set) var current: Publication?
  private var pending: Publication?
  private var lastPush: NIODeadline?
  private var sessions: [ObjectIdentifier: DataPlaneSession] = [:]
  /// Messages of the current publication, by what they leave out.
  private var messages: [[WithheldDefinitions]: EventLoopFuture<SegmentedMessage>] = [:]
  /// Frames with these messages.
  private var frames: [FrameKey: EventLoopFuture<ByteBuffer>] = [:]
  /// Serializing and compressing a large configuration takes long; it must not hold up the loop.
  private let encoding = DispatchQueue(label: "sluice.control-plane.encoding")
  private let encoders = MessageEncoders()

  init(configuration: ControlPlaneConfiguration, directory: any DataPlaneDirectory, eventLoop: any EventLoop) {
    self.configuration = configuration
    self.directory = directory
    self.eventLoop = eventLoop
  }

  var logger: Logger { configuration.logger }

  var now: Int64 { Int64(Date().timeIntervalSince1970) }

  /// Sends a configuration after a moment, together with those that follow until then: of several only the latest.
  func publish(_ publication: Publication) {
    let isFirst = pending == nil
    pending = publication
    guard isFirst else { return }
    let now = NIODeadline.now()
    let spaced = lastPush.map { $0 + configuration.timings.pushSpacing } ?? now
    eventLoop.assumeIsolated().scheduleTask(deadline: max(now + configuration.timings.pushGathering, spaced)) {
      self.push()
    }
  }

  private func push() {
    guard let publication = pending else { return }
    pending = nil
    lastPush = .now()
    current = publication
    messages.removeAll()
    frames.removeAll()
    for session in sessions.values { session.pushIfNeeded() }
  }

  func add(_ session: DataPlaneSession) { sessions[ObjectIdentifier(session)] = session }

  func remove(_ session: DataPlaneSession) { sessions[ObjectIdentifier(session)] = nil }

  func closeSessions() {
    for session in sessions.values { session.close(code: .goingAway) }
  }

  /// The message of a publication; made once for all sessions that get the same.
  func message(of publication: Publication, withheld: [WithheldDefinitions]) -> EventLoopFuture<SegmentedMessage> {
    if publication.number == current?.number, let message = messages[withheld] { return message }
    let promise = eventLoop.makePromise(of: SegmentedMessage.self)
    let encoders = encoders
    encoding.async {
      let now = Date().timeIntervalSince1970
      promise.completeWith(
        Result {
          let encoder = encoders.encoder(for: withheld)
          return try publication.message(withheld: withheld, timestamp: now, encoder: encoder)
        })
    }
    if publication.number == current?.number { messages[withheld] = promise.futureResult }
    return promise.futureResult
  }

  /// What is sent of a message: all of it, or what it has that another had not. Made once for all sessions that get the
  /// same.
  func frame(of message: SegmentedMessage, from base: SegmentedMessage?) -> EventLoopFuture<ByteBuffer> {
    let key = FrameKey(message: message.identity, base: base?.identity)
    if let frame = frames[key] { return frame }
    let promise = eventLoop.makePromise(of: ByteBuffer.self)
    encoding.async {
      let bytes = base.map { MessageDifference.encode(from: $0, to: message) } ?? message.bytes
      promise.succeed(ByteBuffer(bytes: bytes))
    }
    frames[key] = promise.futureResult
    return promise.futureResult
  }

  func purge() { directory.purge(lastSeenBefore: now - configuration.purgeDelay) }
}

/// A message, and the one that the data plane has.
private struct FrameKey: Hashable {
  let message: ContentDigest
  let base: ContentDigest?
}

/// The encoders of a control plane, one for each choice of what is left out.
///
/// Unchecked: used on the encoding queue alone, which runs one piece of work at a time.
private final class MessageEncoders: @unchecked Sendable {
  private var encoders: [[String]: SegmentedEncoder] = [:]

  func encoder(for withheld: [WithheldDefinitions]) -> SegmentedEncoder {
    let key = withheld.map(\.entity)
    if let encoder = encoders[key] { return encoder }
    let encoder = SegmentedEncoder()
    encoders[key] = encoder
    return encoder
  }
}
