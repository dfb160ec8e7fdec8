/* Run the exported network on a bare Cortex-M under QEMU: print classes and what a timestep costs, by semihosting. */
#include <stdint.h>

#include "images.h"
#include "net_network.h"

/* QEMU runs one instruction in a nanosecond (-icount shift=0), and the board's clock ticks at 25 MHz. */
#define INSTRUCTIONS_PER_TICK 40
#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018)

static net_state state;

static void call(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *name, uint32_t number) {
    char text[64];
    int n = 0, k = 0;
    char digits[12];
    while (name[n] != 0) text[n] = name[n], ++n;
    do digits[k++] = (char)('0' + number % 10), number /= 10;
    while (number != 0);
    while (k > 0) text[n++] = digits[--k];
    text[n++] = '\n', text[n] = 0;
    call(0x04, text);
}

int main(void) {
    uint32_t first = 0, others = 0, right = 0;
    SYSTICK_RELOAD = 0xFFFFFF, SYSTICK_VALUE = 0, SYSTICK_CONTROL = 5;
    for (uint32_t image = 0; image < NUM_IMAGES; ++image) {
        net_reset(&state, image);
        for (int32_t t = 0; t < NET_NUM_TIMESTEPS; ++t) {
            const uint32_t before = SYSTICK_VALUE;
            net_step(&state, t == 0 ? images[image] : 0);
            const uint32_t ticks = (before - SYSTICK_VALUE) & 0xFFFFFF;
            if (t == 0) first += ticks;
            else others += ticks;
        }
        right += net_class(&state, 0) == labels[image];
        print("class ", (uint32_t)net_class(&state, 0));
    }
    print("images ", NUM_IMAGES);
    print("right ", right);
    print("state bytes ", sizeof(net_state));
    print("instructions of the first step ", first / NUM_IMAGES * INSTRUCTIONS_PER_TICK);
    print("instructions of another step ", others / (NUM_IMAGES * (NET_NUM_TIMESTEPS - 1)) * INSTRUCTIONS_PER_TICK);
    call(0x18, (const void *)0x20026);
    for (;;) {}
}

extern uint32_t stack_top, bss_start, bss_end;

void start(void) {
    for (uint32_t *word = &bss_start; word < &bss_end; ++word) *word = 0;
    main();
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {&stack_top, (const void *)start};
