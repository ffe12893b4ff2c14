// ---- rows of a table ---------------------------------------------------------------------------------

// Draws the differences of each cell's generated from real rows: distances of the columns on the
// diagonal, differences of their dependence elsewhere.
function differences() {
  const [ink, more, less, ghost] = ["--ink", "--c0", "--c1", "--ghost"].map(inked);
  for (const canvas of all("canvas[data-differences]")) {
    const { names, values } = data.cells[canvas.dataset.differences].differences;
    const pen = canvas.getContext("2d"), k = names.length, n = canvas.width;
    pen.font = `22px ${getComputedStyle(document.body).fontFamily}`;
    const most = 0.4 * n, brief = names.map((name) => fitted(pen, name, most));
    const left = Math.min(most, Math.max(...brief.map((name) => pen.measureText(name).width))) + 14;
    const side = (n - left) / k;
    canvas.height = Math.ceil(n - left);
    pen.font = `${Math.min(22, 0.86 * side)}px ${getComputedStyle(document.body).fontFamily}`;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    values.forEach((value, at) => {
      const [row, column] = [Math.floor(at / k), at % k];
      pen.globalAlpha = value === null ? 0.35 : Math.min(1, Math.abs(value) / 500);
      pen.fillStyle = value === null ? ghost : row === column ? ink : value > 0 ? more : less;
      pen.fillRect(left + column * side, row * side, side - 1, side - 1);
    });
    pen.globalAlpha = 1;
    pen.fillStyle = ink;
    brief.forEach((name, row) => pen.fillText(name, left - 10, (row + 0.5) * side));
    pen.strokeStyle = ghost;
    pen.strokeRect(left - 0.5, 0.5, n - left, canvas.height - 1);
    canvas.onpointermove = ({ offsetX, offsetY }) => {
      const share = n / canvas.clientWidth;
      const column = Math.floor((offsetX * share - left) / side), row = Math.floor((offsetY * share) / side);
      const value = column >= 0 && row >= 0 && column < k && row < k ? values[row * k + column] : null;
      const pair = row === column ? names[row] : `${names[row]} × ${names[column]}`;
      canvas.title = value === null ? "" : `${pair}: ${(value / 1000).toFixed(3)}`;
    };
  }
}

// The text, shortened to what fits into `room` pixels.
function fitted(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  let end = text.length;
  while (end > 1 && pen.measureText(`${text.slice(0, end)}…`).width > room) end -= 1;
  return `${text.slice(0, end)}…`;
}
