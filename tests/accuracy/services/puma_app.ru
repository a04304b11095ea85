# SPDX-License-Identifier: Apache-2.0
# Puma with Net::HTTP, a kept connection per thread. /h a pool of threads fed by a queue, /p two calls there.
require 'net/http'

BACKEND = ENV['LAB_BACKEND'].to_i

def call(path)
  connection = Thread.current.thread_variable_get(:lab)
  unless connection
    connection = Net::HTTP.new('127.0.0.1', BACKEND)
    connection.keep_alive_timeout = 60
    connection.start
    Thread.current.thread_variable_set(:lab, connection)
  end
  connection.get(path).body
end

JOBS = Queue.new
Array.new((ENV['LAB_HANDOFF'] || 32).to_i) do
  Thread.new do
    while (job = JOBS.pop)
      path, answer = job
      answer << call(path)
    end
  end
end

def hand_over(path)
  answer = Queue.new
  JOBS << [path, answer]
  answer
end

if ENV['LAB_TIMER']
  call('/b/bg/start')
  Thread.new do
    (0..).each do |n|
      sleep(0.02)
      call("/b/bg/#{n}")
    end
  end
end

run(lambda do |env|
  path = env['PATH_INFO']
  _, mode, name = path.split('/')
  a = "/b/#{name}/a"
  b = "/b/#{name}/b"
  text =
    case mode
    when 'r' then call(a)
    when 's' then call(a) + call(b)
    when 'p' then [hand_over(a), hand_over(b)].map(&:pop).join
    when 'h' then hand_over(a).pop
    else call(path)
    end
  [200, {'Content-Type' => 'text/plain', 'Content-Length' => text.bytesize.to_s}, [text]]
end)
