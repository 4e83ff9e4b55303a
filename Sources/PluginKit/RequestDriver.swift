import NIOCore

/// What a context needs of the connection it belongs to.
public protocol RequestDriver: AnyObject {
  /// Reads the rest of the request body and calls `completion` on the event loop; at once if the body is there.
  ///
  /// Afterwards `context.requestBody` is `.complete`. A body that cannot be read (client gone, too large) gives the
  /// error and ends the request.
  func readRequestBody(_ context: RequestContext, _ completion: @escaping (Result<Void, RequestBodyError>) -> Void)

  /// A suspended plugin is done.
  func pluginResumed(_ outcome: PhaseOutcome, _ context: RequestContext)

  /// The event loop, for timers.
  var eventLoop: any EventLoop { get }
}
