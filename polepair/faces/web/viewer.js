// Turnable view of the motor's parts; the picture below it stays where the browser has no WebGL.
(() => {
  const box = document.currentScript.previousElementSibling;
  const canvas = box.querySelector('canvas');
  const gl = canvas.getContext('webgl', { antialias: true, premultipliedAlpha: true });
  if (!gl) return;
  const parts = @PARTS@; // colour, turns with the rotor, triangles as int16 in base64

  const VERTEX = `
    attribute vec3 position, normal;
    uniform mat4 view;
    uniform float turn;
    varying vec3 facing;
    void main() {
      float c = cos(turn), s = sin(turn);
      mat3 rotor = mat3(c, s, 0., -s, c, 0., 0., 0., 1.);
      facing = mat3(view) * (rotor * normal);
      vec4 p = view * vec4(rotor * position, 1.);
      // Ends of parts lie a hair behind walls: where two parts meet, the seam is the wall's.
      gl_Position = vec4(p.xy, p.z * .3 + .004 * abs(normal.z) / max(length(normal), 1e-9), 1.);
    }`;
  const FRAGMENT = `
    precision mediump float;
    uniform vec3 colour;
    varying vec3 facing;
    void main() {
      float light = max(dot(normalize(facing), normalize(vec3(.4, .6, -.8))), 0.);
      gl_FragColor = vec4(colour * (.42 + .62 * light), 1.);
    }`;
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  const uniform = name => gl.getUniformLocation(program, name);
  const attribute = name => gl.getAttribLocation(program, name);

  // Positions and flat normals, interleaved.
  for (const part of parts) {
    const bytes = Uint8Array.from(atob(part.v), c => c.charCodeAt(0));
    const p = Float32Array.from(new Int16Array(bytes.buffer), x => x / 32767);
    const data = new Float32Array(2 * p.length);
    for (let i = 0; i < p.length; i += 9) {
      const a = [p[i + 3] - p[i], p[i + 4] - p[i + 1], p[i + 5] - p[i + 2]];
      const b = [p[i + 6] - p[i], p[i + 7] - p[i + 1], p[i + 8] - p[i + 2]];
      const n = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
      for (let j = 0; j < 3; j++) {
        data.set(p.subarray(i + 3 * j, i + 3 * j + 3), (i / 3 + j) * 6);
        data.set(n, (i / 3 + j) * 6 + 3);
      }
    }
    part.count = p.length / 3;
    part.buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, part.buffer);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    part.colour = [1, 3, 5].map(i => parseInt(part.c.substr(i, 2), 16) / 255);
  }

  let azimuth = -0.9, elevation = 0.5, zoom = 0.95, turn = 0, last = 0, grip = null;
  gl.enable(gl.DEPTH_TEST);

  function draw() {
    const w = canvas.clientWidth, h = canvas.clientHeight, dpr = devicePixelRatio || 1;
    canvas.width = w * dpr;
    canvas.height = h * dpr;
    gl.viewport(0, 0, w * dpr, h * dpr);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const a = Math.cos(azimuth), b = Math.sin(azimuth), c = Math.cos(elevation), s = Math.sin(elevation);
    const y = zoom * Math.min(1, w / h), x = y * h / w;
    gl.uniformMatrix4fv(uniform('view'), false,
      [-b * x, -s * a * y, -c * a, 0, a * x, -s * b * y, -c * b, 0, 0, c * y, -s, 0, 0, 0, 0, 1]);
    for (const part of parts) {
      gl.bindBuffer(gl.ARRAY_BUFFER, part.buffer);
      for (const [name, offset] of [['position', 0], ['normal', 12]]) {
        gl.enableVertexAttribArray(attribute(name));
        gl.vertexAttribPointer(attribute(name), 3, gl.FLOAT, false, 24, offset);
      }
      gl.uniform1f(uniform('turn'), part.r ? turn : 0);
      gl.uniform3fv(uniform('colour'), part.colour);
      gl.drawArrays(gl.TRIANGLES, 0, part.count);
    }
  }

  function tick(now) {
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (!still) turn += Math.min(now - last, 50) * 0.0008;
    last = now;
    draw();
    requestAnimationFrame(tick);
  }
  canvas.onpointerdown = e => { grip = [e.clientX, e.clientY]; canvas.setPointerCapture(e.pointerId); };
  canvas.onpointerup = () => { grip = null; };
  canvas.onpointermove = e => {
    if (!grip) return;
    azimuth -= (e.clientX - grip[0]) * 0.01;
    elevation = Math.max(-1.5, Math.min(1.5, elevation + (e.clientY - grip[1]) * 0.01));
    grip = [e.clientX, e.clientY];
  };
  canvas.onwheel = e => { zoom = Math.max(0.4, Math.min(4, zoom * Math.exp(-e.deltaY * 0.001))); e.preventDefault(); };
  box.classList.add('live');
  requestAnimationFrame(tick);
})();
