# SPDX-License-Identifier: Apache-2.0
# A plain Rack application for puma, which has a TLS engine of its own. Same answers and log as answer.py.
require 'json'

LOG = File.open(ENV['ACCESS_LOG'], 'a')
LOG.sync = true

run(lambda do |env|
  received = env['rack.input'].read.to_s.bytesize
  query = URI.decode_www_form(env['QUERY_STRING'].to_s).to_h
  size = query.fetch('size', 64).to_i
  sleep(query.fetch('ms', 0).to_i / 1000.0)
  body = 'x' * size
  target = env['REQUEST_PATH'] + (env['QUERY_STRING'].empty? ? '' : "?#{env['QUERY_STRING']}")
  LOG.write(JSON.generate(method: env['REQUEST_METHOD'], target: target, status: query.fetch('status', 200).to_i,
                          response_bytes: size, request_bytes: received, port: env['puma.socket'].peeraddr[1]) + "\n")
  headers = {'Content-Type' => 'text/plain'}
  pieces = [body]
  if query['chunked'] == '1'
    pieces = [body[0, size / 2], body[size / 2..]].reject(&:empty?).each
  else
    headers['Content-Length'] = size.to_s
  end
  [query.fetch('status', 200).to_i, headers, pieces]
end)
